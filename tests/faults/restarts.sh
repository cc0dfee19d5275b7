# Proxy and auth are killed while sessions run, one after the other: each session's recording comes whole, with the last words that its person saw.
source "$(dirname "$0")/lib.sh"
make_cluster

begin() {
  ssh -F "$tmp/ssh_config" -l "$login" -tt "$node_host" 'echo began; i=0; while :; do i=$((i+1)); echo "word $i"; sleep 0.1; done' >"$tmp/said" 2>/dev/null </dev/null &
  client=$!
  wait_for 20 "output" grep -q 'word 5' "$tmp/said"
  session=$(newest_session)
}
is_online() { admin nodes ls --format=json | jq -e '.[0].online'; }
last_word() { grep -o 'word [0-9]*' "$tmp/said" | tail -n 1; }

say "auth is killed: the session goes on, and is archived when auth is back"
begin
seen=$(last_word)
crash auth
wait_for 20 "the session to go on" bash -c "[[ \$(grep -c word '$tmp/said') -gt $((${seen#word } + 10)) ]]"
expect_failure 255 "auth" node_ssh "$node_host" true
start_auth
wait_for 20 "auth to know again that the node is connected" is_online
kill "$client"
wait "$client" || true
wait_for 60 "the recording to be complete" recording_is_complete "$session"
has_output "$session" "^$(last_word)"

say "the proxy is killed: its sessions end, on record to the last word, and new ones begin when it is back"
begin
crash proxy
wait "$client" && die "the session should have ended" || true
start_proxy
wait_for 60 "a new session" node_ssh "$node_host" true
wait_for 20 "auth to hear of the node from the new proxy" is_online
wait_for 60 "the recording to be complete" recording_is_complete "$session"
has_output "$session" "^$(last_word)"
cairn recordings verify "$session" >/dev/null || die "the recording does not verify"
