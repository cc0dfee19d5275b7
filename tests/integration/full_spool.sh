# The disk of the spool is full while a session prints. accounted: the session goes on, and what found no room is on record to the byte. lossless: the
# person is told, the session stands still, and nothing is missing once there is room. In the long form none comes, and the session ends.
source "$(dirname "$0")/lib.sh"
make_cluster

spool=$tmp/agent/spool
# The spool's own disk goes with the test; the status that cleanup sees is the test's.
leave() {
  local status=$?
  set +e
  umount -l "$spool" 2>/dev/null
  (exit "$status")
  cleanup
}
trap leave EXIT
# More than a small spool takes, and than may wait in memory.
flood='head -c 20000000 /dev/urandom | base64 -w 120; echo done'

with_a_small_spool() {
  stop agent
  umount "$spool" 2>/dev/null || true
  mount -t tmpfs -o size=3m,mode=0700 none "$spool" || skip "needs mount(2)"
  start_agent --recording-policy="$1" --spool-reserve-bytes=0
}
# What was on its way to the client when the session was held still arrives.
stands_still() {
  local before
  before=$(stat -c %s "$tmp/shown")
  sleep 1
  [[ $(stat -c %s "$tmp/shown") -eq $before ]]
}
has_ended() { ! kill -0 "$client" 2>/dev/null; }
is_told() { grep -q "disk for recordings is full" "$tmp/told"; }

with_a_small_spool accounted
node_ssh "$node_host" "$flood" >"$tmp/shown" || die "accounted: the session failed"
grep -q done "$tmp/shown" || die "accounted: the session did not go on to its end"
finished_session
verdict=0
cairn recordings verify "$session" >"$tmp/verdict" 2>&1 || verdict=$?
[[ $verdict -eq 3 ]] || die "accounted: verify exited with $verdict: $(cat "$tmp/verdict")"
events "$session"
has_event '.gap.reason == "GAP_REASON_SPOOL_FULL" and (.gap.output_bytes // "0" | tonumber) > 0'
missing=$(jq -s '[.[].gap.output_bytes // "0" | tonumber] | add' "$tmp/events")
stored=$(jq -s '[.[].end.output_bytes // "0" | tonumber] | add' "$tmp/events")
[[ $((stored + missing)) -eq $(stat -c %s "$tmp/shown") ]] || die "accounted: $stored stored and $missing missing of $(stat -c %s "$tmp/shown")"
grep -q recording.spool_full "$tmp/agent.log" || die "accounted: the log does not say that the spool was full"
say "accounted: $missing bytes of $(stat -c %s "$tmp/shown") are missing, and said to be"

with_a_small_spool lossless
node_ssh "$node_host" "$flood" >"$tmp/shown" 2>"$tmp/told" &
client=$!
wait_for 30 "the person to be told" is_told
wait_for 30 "the session to stand still" stands_still
before=$(stat -c %s "$tmp/shown")
[[ $before -lt 20000000 ]] || die "lossless: the session was not held"
mount -o remount,size=200m "$spool"
wait $client || die "lossless: the session failed: $(cat "$tmp/told")"
grep -q "there is room again" "$tmp/told" || die "lossless: the person was not told that it is over"
finished_session
cairn recordings verify "$session" >"$tmp/verdict" 2>&1 || die "lossless: $(cat "$tmp/verdict")"
events "$session"
has_no_event '.gap'
[[ $(jq -s '[.[].end.output_bytes // "0" | tonumber] | add' "$tmp/events") -eq $(stat -c %s "$tmp/shown") ]] || die "lossless: bytes are missing"
say "lossless: held at $before bytes, nothing missing"

# What all recordings of the host may take together, on a disk that has more.
with_limits() {
  stop agent
  umount "$spool" 2>/dev/null || true
  start_agent --recording-policy="$1" "${@:2}"
}
# A file may go while it looks.
taken() { { du -s -B1 "$spool" 2>/dev/null || true; } | cut -f1; }

total=8000000
with_limits accounted --spool-total-bytes=$total --spool-reserve-bytes=0
clients=()
for i in 1 2; do
  node_ssh "$node_host" "$flood" >"$tmp/shown$i" &
  clients+=($!)
done
most=0
while kill -0 "${clients[@]}" 2>/dev/null; do
  now=$(taken)
  most=$((now > most ? now : most))
  sleep 0.05
done
for client in "${clients[@]}"; do wait "$client" || die "a total: a session failed"; done
[[ $most -gt $((total / 2)) && $most -lt $((total + 1000000)) ]] || die "a total of $total: the recordings took $most"
grep -q spool_total_bytes "$tmp/agent.log" || die "a total: the log does not name the limit"
finished_session
both=$(cairn recordings ls --format=json | jq -r '[.[] | .id] | .[:2] | .[]')
missing=0 stored=0
for session in $both; do
  wait_for 60 "the recording of $session to be complete" recording_is_complete "$session"
  events "$session"
  missing=$((missing + $(jq -s '[.[].gap.output_bytes // "0" | tonumber] | add' "$tmp/events")))
  stored=$((stored + $(jq -s '[.[].end.output_bytes // "0" | tonumber] | add' "$tmp/events")))
done
[[ $missing -gt 0 && $((stored + missing)) -eq $(cat "$tmp/shown1" "$tmp/shown2" | wc -c) ]] || die "a total: $stored stored and $missing missing of two sessions"
say "a total of $total for two sessions: $most taken at most, $missing bytes missing, and said to be"

rm "$tmp/told"
fallocate -l 64000000 "$spool/somebody_elses"
with_limits lossless --spool-total-bytes=66000000 --spool-reserve-bytes=0
node_ssh "$node_host" "$flood" >"$tmp/shown" 2>"$tmp/told" &
client=$!
wait_for 30 "the person to be told" is_told
rm "$spool/somebody_elses"
wait $client || die "a total, lossless: the session failed: $(cat "$tmp/told")"
grep -q "there is room again" "$tmp/told" || die "a total, lossless: the person was not told that it is over"
finished_session
events "$session"
has_no_event '.gap'
say "a total, lossless: held while there was no room, nothing missing"

with_limits accounted --spool-reserve-bytes=1000000000000
expect_failure 255 "" node_ssh "$node_host" true
wait_for 10 "the log to say why" grep -q spool_reserve_bytes "$tmp/agent.log"
say "a session that would take what is to stay free is refused"

[[ -n ${CAIRN_TEST_LONG:-} ]] || exit 0
with_a_small_spool lossless
node_ssh "$node_host" "$flood" >"$tmp/shown" 2>"$tmp/told" &
client=$!
wait_for 30 "the person to be told" is_told
wait_for 90 "the session to end" has_ended
grep -q "cannot be recorded any longer" "$tmp/told" || die "lossless: the person was not told why: $(cat "$tmp/told")"
grep -q recording.failed "$tmp/agent.log" || die "lossless: the log does not say it"
finished_session
say "lossless: ended when there was no room for a minute"
