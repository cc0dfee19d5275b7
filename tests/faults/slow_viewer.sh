# Viewers that read nothing slow nobody: the session that they watch does not wait for them, nor does another viewer.
source "$(dirname "$0")/lib.sh"
make_cluster
stalled=4
mkfifo "$tmp/never"
exec {nobody}<>"$tmp/never"

# Sets $session: a terminal that prints 4 MB when it is told to by descriptor 9. Its output grows in $tmp/said.
begin_session() {
  rm -f "$tmp/typed" && mkfifo "$tmp/typed"
  node_ssh -tt "$node_host" 'stty -echo; echo began; read -r go; seq 1 500000; echo ended' <"$tmp/typed" >"$tmp/said" 2>/dev/null &
  client=$!
  exec 9>"$tmp/typed"
  wait_for 20 "the session" grep -q began "$tmp/said"
  session=$(newest_session)
  wait_for 20 "its recording to begin" is_recorded
}
is_recorded() { cairn play "$session" --speed=max --events=none </dev/null | grep began; }
# Milliseconds that its output takes.
ran_ms() {
  local from; from=$(now_ms)
  echo go >&9
  wait_for 120 "the end of the output" grep -q ended "$tmp/said"
  echo $(($(now_ms) - from))
}
end_session() { exec 9>&-; wait "$client" || true; }
viewers() { admin audit search --kind=recording.read --session="$session" --format=json | jq '[.[] | select(.fields.purpose == "follow")] | length'; }
are_watching() { (($(viewers) >= $1)); }

begin_session
alone_ms=$(ran_ms)
end_session

begin_session
pids=()
for _ in $(seq "$stalled"); do
  cairn play "$session" --follow --speed=max >"$tmp/never" 2>/dev/null </dev/null &
  pids+=($!)
done
cairn play "$session" --follow --speed=max >"$tmp/watched" 2>/dev/null </dev/null &
reading=$!
wait_for 20 "all viewers" are_watching $((stalled + 1))
watched_ms=$(ran_ms)
say "4 MB of output: $alone_ms ms alone, $watched_ms ms with $stalled stalled viewers"
((watched_ms <= 3 * alone_ms + 1000)) || die "the viewers slow the session"

say "who reads sees it all, and the recording is whole"
end_session
wait_for 60 "the other viewer" grep -q ended "$tmp/watched"
wait "$reading"
kill -0 "${pids[@]}" || die "the stalled viewers should still be there"
kill "${pids[@]}"
wait_for 60 "the recording to be complete" recording_is_complete "$session"
cairn recordings verify "$session" >/dev/null || die "the recording does not verify"
