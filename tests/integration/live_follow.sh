# A viewer follows a live session; a second listing shows it as live; the follower ends when the session does.
source "$(dirname "$0")/lib.sh"
make_cluster
mkfifo "$tmp/typed"
node_ssh -tt "$node_host" 'stty -echo; while read -r line; do echo "said $line"; done' <"$tmp/typed" >"$tmp/seen" &
exec 9>"$tmp/typed"
echo first >&9
wait_for 20 "the session's own answer" grep -q "said first" "$tmp/seen"
wait_for 20 "a live session in the list" bash -c "'$bin/cairn' sessions ls --format=json | jq -e '.[0].recording_complete | not'"
session=$(newest_session)
cairn play "$session" --follow --events=none >"$tmp/followed" 2>"$tmp/follow-err" </dev/null &
follower=$!
wait_for 20 "the follower to see the past" grep -q "said first" "$tmp/followed"
echo second >&9
wait_for 20 "the follower to see the present" grep -q "said second" "$tmp/followed"
printf '\004' >&9
exec 9>&-
wait $follower || die "the follower ended with $?: $(cat "$tmp/follow-err")"
