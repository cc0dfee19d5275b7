# kill -9 of the supervisor in mid-session: the session goes on, and not one keystroke or kernel event is missing from the recording.
source "$(dirname "$0")/lib.sh"
make_cluster

mkfifo "$tmp/typed"
node_ssh -tt "$node_host" 'stty -echo; while read -r line; do /bin/echo "heard $line"; done' <"$tmp/typed" >"$tmp/seen" &
client=$!
exec 9>"$tmp/typed"
type_line() {
  echo "$1" >&9
  wait_for 20 "the answer to $1" grep -q "heard $1" "$tmp/seen"
}
for n in 1 2 3 4 5; do type_line "before-$n"; done
crash agent
for n in 1 2 3 4 5; do type_line "orphan-$n"; done
start_agent
for n in 1 2 3 4 5; do type_line "after-$n"; done
crash agent
for n in 6 7 8; do type_line "orphan-$n"; done
printf '\004' >&9  # Ctrl-D: as with sshd, the end of a client's standard input is not the end of a terminal's
exec 9>&-
wait $client || true
start_agent

finished_session
events "$session"
for line in before-1 before-5 orphan-1 orphan-5 after-1 after-5 orphan-6 orphan-8; do
  has_event ".exec.argv == [\"/bin/echo\", \"heard $line\"]"
done
[[ $(jq -s '[.[] | select((.exec.argv // [])[0] == "/bin/echo")] | length' "$tmp/events") -eq 18 ]] || die "not all 18 executions"
jq -j 'select(.output) | .output.data' "$tmp/events" >"$tmp/recorded"
cmp "$tmp/recorded" "$tmp/seen" || die "recorded and seen output differ"
jq -s -e '.[-1].end | .reason == "END_REASON_COMPLETE" and .kernel_issued == .kernel_stored and ((.kernel_missing // "0") == "0")' "$tmp/events" >/dev/null ||
  die "not complete: $(tail -n 1 "$tmp/events")"
[[ $(jq -s '[.[] | select(.kernel_seq != null) | .kernel_seq | tonumber] | sort | . == [range(1; length + 1)]' "$tmp/events") == true ]] || die "the sequence has holes"
