# The supervisor is killed and started again in a loop while a session opens files and runs programs as fast as it can: not one event is
# missing. The worker reads on, and the programs in the kernel stay; lossless, so that a slow machine holds the session and loses nothing.
source "$(dirname "$0")/lib.sh"
make_cluster
stop agent
start_agent --recording-policy=lossless

chmod 0755 "$tmp"
kills=8
node_ssh "$node_host" "echo begun; until [ -e $tmp/enough ]; do
  i=0; while [ \$i -lt 2000 ]; do : </dev/null; i=\$((i + 1)); done; /bin/echo round; done" >"$tmp/rounds" &
client=$!
wait_for 20 "the load" grep -q begun "$tmp/rounds"
for ((n = 1; n <= kills; n++)); do
  crash agent
  rounds=$(wc -l <"$tmp/rounds")
  wait_for 30 "the session to go on without a supervisor" bash -c "[ \$(wc -l <'$tmp/rounds') -gt $((rounds + 1)) ]"
  start_agent --recording-policy=lossless
done
touch "$tmp/enough"
wait $client || die "the session failed"
finished_session

verdict=$(cairn recordings verify --format json "$session") || die "verify: $verdict"
read -r issued stored missing < <(jq -r '.. | objects | select(has("kernel_issued")) | "\(.kernel_issued) \(.kernel_stored) \(.kernel_missing)"' <<<"$verdict" | head -n 1)
rounds=$(grep -c round "$tmp/rounds")
[[ $issued -gt $((rounds * 2000)) ]] || die "$rounds rounds, and only $issued events"
[[ $stored -eq $issued && $missing -eq 0 ]] || die "$issued issued, $stored stored, $missing missing"
# Nor does a supervisor that was killed leave anything that keeps the hook on system calls attached: its canary is a session too.
wait_for 30 "the hook on system calls to be taken off" bash -c "! ls $tmp/bpf/*/on_sys_exit 2>/dev/null"
say "$kills kills, $rounds rounds, $issued events, none missing"
