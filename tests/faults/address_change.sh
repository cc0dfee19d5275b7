# The node's address changes under it (DHCP, another uplink): it is back within 20 seconds, by itself.
source "$(dirname "$0")/lib.sh"
make_networks
make_cluster_apart
node_ssh "$node_host" true
in_net node ip address del 10.99.1.2/24 dev "${net}1"
in_net node ip address add 10.99.1.77/24 dev "${net}1"
in_net node ip route replace default via 10.99.1.1
changed_ms=$(now_ms)
wait_for 30 "a session at the new address" node_ssh -o ConnectTimeout=3 "$node_host" true
took_ms=$(($(now_ms) - changed_ms))
say "back after $took_ms ms"
((took_ms <= 25000)) || die "took $took_ms ms"
finished_session
