# A kernel that refuses every tier: the agent says which program was refused and why, and ends; sessions whose policy requires kernel
# events are refused when it is told to stay.
source "$(dirname "$0")/lib.sh"
make_cluster
stop agent
command -v capsh >/dev/null || command -v setpriv >/dev/null || skip "no setpriv to drop CAP_BPF with"
weak() { setpriv --bounding-set=-bpf,-sys_admin,-perfmon --inh-caps=-bpf,-sys_admin,-perfmon -- "$@"; }
mkdir -p "$tmp/nobpf"; mount -t bpf bpf "$tmp/nobpf"
expect_failure 1 'tier B:.*not permitted' weak "$bin/cairn-agent" --data-dir "$tmp/agent" --proxy-address "$proxy_address" --bpf-dir "$tmp/nobpf" --name "$node_name"
umount "$tmp/nobpf"
