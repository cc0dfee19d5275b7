# Processes that outlive the terminal stay in evidence: the recording is open until the last one has ended, marked as after the terminal.
source "$(dirname "$0")/lib.sh"
make_cluster
chmod 0755 "$tmp"; mkfifo -m 0666 "$tmp/go"
node_ssh "$node_host" "setsid sh -c 'read x <$tmp/go; /bin/echo the long tail' >/dev/null 2>&1 </dev/null & echo started"
session=$(newest_session)
cairn sessions ls --format=json | jq -e '.[0].recording_complete | not' >/dev/null || die "the recording ended with the terminal"
wait_for 20 "the mark" bash -c "'$bin/cairn' play $session --format=json --speed=max 2>/dev/null | grep -q after_terminal"
echo go >"$tmp/go"
finished_session
events "$session"
jq -s -e '([to_entries[] | select(.value.after_terminal) | .key][0]) < ([to_entries[] | select(.value.exec.argv? == ["/bin/echo", "the", "long", "tail"]) | .key][0])' "$tmp/events" >/dev/null ||
  die "the execution after the terminal is not there or not after the mark"
