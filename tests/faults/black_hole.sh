# Packets vanish without a word. Everybody notices within 20 seconds; what was recorded is complete up to then; and when the network is back, so is everything.
source "$(dirname "$0")/lib.sh"
make_networks
make_cluster_apart
limit_ms=20000

say "a session runs, and the network goes"
node_ssh -tt "$node_host" 'echo began; while :; do date +%s.%N; sleep 0.2; done' >"$tmp/said" 2>"$tmp/ssh.err" </dev/null &
client=$!
wait_for 20 "output" grep -q began "$tmp/said"
session=$(newest_session)
sleep 2
sever
cut_ms=$(now_ms)

say "agent, proxy and the client notice"
wait_for 25 "the agent to notice" grep -q tunnel.lost "$tmp/agent.log"
agent_ms=$(($(now_ms) - cut_ms))
wait_for 25 "the proxy to notice" grep -q agent.disconnected "$tmp/proxy.log"
proxy_ms=$(($(now_ms) - cut_ms))
wait "$client" && die "the client should have been told" || true
client_ms=$(($(now_ms) - cut_ms))
wait_for 25 "the worker to notice" grep -q 'worker.ended' "$tmp/agent.log"
worker_ms=$(($(now_ms) - cut_ms))
say "noticed after ms: agent $agent_ms, proxy $proxy_ms, client $client_ms, worker $worker_ms"
((agent_ms <= limit_ms && proxy_ms <= limit_ms && client_ms <= limit_ms && worker_ms <= limit_ms)) || die "not within $limit_ms ms"

say "the network is back: so are the agent, new sessions, and the recording of the one that was cut"
heal
wait_for 60 "a new session" node_ssh "$node_host" true
wait_for 60 "the recording to be complete" recording_is_complete "$session"
last_seen=$(tail -n 1 "$tmp/said" | tr -d "\r" | cut -d. -f1)
[[ -n $last_seen ]] || die "nothing was seen"
has_output "$session" "^$last_seen"
cairn recordings verify "$session" >/dev/null || die "the recording does not verify"
