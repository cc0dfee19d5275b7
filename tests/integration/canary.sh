# While sessions are there the canary sings once per second: a hook that is attached no more is noticed within seconds, in the log, in
# the audit log, in the list of nodes and in each recording; a session whose policy requires kernel events ends.
source "$(dirname "$0")/lib.sh"
make_cluster
stop agent
start_agent --metrics-file="$tmp/cairn_agent.prom"
wait_for 10 "the metrics" grep -qx 'cairn_agent_capture_whole 1' "$tmp/cairn_agent.prom"

say "without sessions nothing is traced: the canary does not sing"
on_demand() { ls "$tmp"/bpf/*/on_sys_exit 2>/dev/null; }
wait_for 30 "the hook on system calls to be taken off" bash -c "! ls $tmp/bpf/*/on_sys_exit 2>/dev/null"

say "two sessions, and somebody takes a hook off"
node_ssh "$node_host" 'echo in; exec sleep 271' >"$tmp/in" 2>"$tmp/end" &
client=$!
wait_for 20 "the session" grep -q in "$tmp/in"
admin roles add strict --logins="$login" --node-labels='*=*' --require-kernel-events >/dev/null
make_user bob strict >/dev/null
log_in bob "$tmp/bob" >/dev/null
CAIRN_HOME=$tmp/bob cairn config >"$tmp/bob_config"
ssh -F "$tmp/bob_config" -l "$login" -o BatchMode=yes "$node_host" 'echo in; exec sleep 300' >"$tmp/bob_in" 2>"$tmp/bob_end" &
bob=$!
wait_for 20 "the other session" grep -q in "$tmp/bob_in"
sleep 3  # seconds in which the canary sings and nothing is missed
! grep -q capture.blind "$tmp/agent.log" || die "blind without a reason: $(grep capture.blind "$tmp/agent.log")"
rm "$tmp"/bpf/*/on_socket_state

say "it is in the log, the audit log and the list of nodes"
wait_for 20 "the agent's log" grep -q 'capture.blind classes="\?connect' "$tmp/agent.log"
wait_for 10 "the audit event" bash -c "'$bin/cairn' --auth-socket '$tmp/auth/auth.sock' audit search --kind=capture. --format=json | jq -e 'any(.[]; .kind == \"capture.blind\" and .fields.classes == \"connect\")'"
wait_for 10 "the metric" grep -qx 'cairn_agent_capture_whole 0' "$tmp/cairn_agent.prom"
grep -qx 'cairn_agent_capture_blind_total 1' "$tmp/cairn_agent.prom" || die "metrics: $(cat "$tmp/cairn_agent.prom")"
cairn nodes ls -v | grep -q 'blind for: connect' || die "cairn nodes ls -v says: $(cairn nodes ls -v)"

say "the session whose role requires kernel events ends"
wait_for 20 "the end of the session" bash -c "! kill -0 $bob 2>/dev/null"
grep -q "kernel events cannot be recorded" "$tmp/bob_end" || die "ssh said: $(cat "$tmp/bob_end")"

say "a session whose role does not require kernel events goes on, and its recording says what is missing"
kill -0 $client || die "the session ended: $(cat "$tmp/end")"
pkill -x -f 'sleep 271'
session=$(cairn sessions ls --format=json | jq -r '.[] | select(.user == "alice") | .id')
wait_for 60 "the recording" recording_is_complete "$session"
events "$session" 2>"$tmp/play" || true  # it ends with 3, as verify does
has_event '.gap.reason == "GAP_REASON_NOT_SEEN" and .gap.classes == "connect"'
status=0
cairn recordings verify "$session" >"$tmp/verify" || status=$?
[[ $status -eq 3 ]] || die "verify ended with $status: $(cat "$tmp/verify")"

