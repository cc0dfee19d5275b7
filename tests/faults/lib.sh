# Networks that fail: the parties of a cluster in network namespaces of their own, with a router between them that can be told to.
# Sourced by tests/faults/<fault>.sh; stands on tests/integration/lib.sh.
#
#        hub (auth, proxy) 10.99.0.2 --- router --- 10.99.1.2 node (agent)
#                                          |
#                                   10.99.2.2 person (cairn, ssh)
#
#   make_networks                     the namespaces; auth, proxy, agent and person are started in theirs from then on
#   in_net NAME COMMAND…              runs it in hub, router, node or person
#   sever; heal                       from now on the router drops what it should pass on, without a word; or passes it on
#   slow_line MS LOSS BYTES_PER_S     between hub and all others: each way so late, LOSS of a hundred packets lost, so many bytes a second;
#                                     before start_proxy. By netem where the kernel has it, else by relay.py
source "$(dirname "${BASH_SOURCE[0]}")/../integration/lib.sh"
faults=$source_root/tests/faults
net=cf$$

in_net() { nsenter --net="/run/netns/$net-$1" "${@:2}"; }

remove_networks() {
  local name
  for name in hub router node person; do ip netns del "$net-$name" 2>/dev/null; done
}

attach() {  # party, number of its network
  ip link add "$net$2" type veth peer name "$net${2}r"
  ip link set "$net$2" netns "$net-$1"
  ip link set "$net${2}r" netns "$net-router"
  in_net router ip address add "10.99.$2.1/24" dev "$net${2}r"
  in_net router ip link set "$net${2}r" up
  in_net "$1" ip address add "10.99.$2.2/24" dev "$net$2"
  in_net "$1" ip link set "$net$2" up
  in_net "$1" ip link set lo up
  in_net "$1" ip route add default via "10.99.$2.1"
}

make_networks() {
  need_root
  local name
  ip netns add "$net-hub" 2>/dev/null || skip "no network namespaces here"
  trap 'status=$?; remove_networks; (exit $status); cleanup' EXIT
  for name in router node person; do ip netns add "$net-$name"; done
  in_net router ip link set lo up
  attach hub 0
  attach node 1
  attach person 2
  heal
  inside[auth]="nsenter --net=/run/netns/$net-hub"
  inside[proxy]=${inside[auth]}
  inside[agent]="nsenter --net=/run/netns/$net-node"
  inside[person]="nsenter --net=/run/netns/$net-person"
  auth_address=10.99.0.2:3025
  proxy_address=10.99.0.2:3080
}

sever() { in_net router sysctl -qw net.ipv4.ip_forward=0; }
heal() { in_net router sysctl -qw net.ipv4.ip_forward=1; }

slow_line() {
  local ms=$1 loss=$2 rate=$3
  if in_net router tc qdisc add dev "${net}0r" root netem delay "${ms}ms" loss "$loss%" rate "$((rate * 8))" 2>/dev/null; then
    in_net hub tc qdisc add dev "${net}0" root netem delay "${ms}ms" loss "$loss%" rate "$((rate * 8))"
    return
  fi
  say "this kernel has no netem: a relay stands in for it"
  in_net router python3 "$faults/relay.py" 10.99.0.1:3080 "$proxy_address" "$ms" "$loss" "$rate" >"$tmp/relay.log" 2>&1 &
  wait_for 20 "the relay" grep -q listening "$tmp/relay.log"
  slow_address=10.99.0.1:3080  # where node and person find the proxy
}

# make_cluster in these networks; by the slow line when there is one.
make_cluster_apart() {
  start_auth
  start_proxy "$@"
  proxy_address=${slow_address:-$proxy_address}
  start_agent
  admin roles add ops --logins="$login,root" --node-labels='*=*' --verbs=audit,recordings >/dev/null
  make_user alice ops >/dev/null
  log_in alice >/dev/null
  write_ssh_config
}

now_ms() { date +%s%3N; }
