# 300 ms of round trip, 2 % of the packets lost, 1 Mbit/s: slow, and whole.
source "$(dirname "$0")/lib.sh"
make_networks
slow_line 150 2 125000
make_cluster_apart
work=$(mktemp -d "$tmp/work.XXXX")
as_user="-F $tmp/ssh_config -o BatchMode=yes -o User=$login"

say "a command, and one on a terminal"
[[ $(node_ssh "$node_host" 'echo far away') == "far away" ]] || die "a command"
node_ssh -tt "$node_host" 'for i in $(seq 500); do echo "line $i"; done' </dev/null >"$tmp/seen"
[[ $(grep -c '^line ' "$tmp/seen") -eq 500 ]] || die "$(wc -l <"$tmp/seen") of 500 lines"
finished_session
has_output "$session" '^line 500'

say "a file each way"
head -c 400000 /dev/urandom >"$work/file"
${inside[person]} scp -q $as_user "$work/file" "$node_host:/var/tmp/cairn-test/slow.$$"
${inside[person]} scp -q $as_user "$node_host:/var/tmp/cairn-test/slow.$$" "$work/back"
cmp "$work/file" "$work/back" || die "the file came back otherwise"
node_ssh "$node_host" "rm /var/tmp/cairn-test/slow.$$"

say "four at once"
for number in 1 2 3 4; do node_ssh "$node_host" "echo $number" & done | sort | xargs >"$tmp/four"
[[ $(cat "$tmp/four") == "1 2 3 4" ]] || die "$(cat "$tmp/four")"
! grep -q tunnel.lost "$tmp/agent.log" || die "the control connection did not last: $(grep tunnel.lost "$tmp/agent.log")"
