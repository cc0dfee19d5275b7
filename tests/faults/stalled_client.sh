# A client that asks for much and then reads nothing: the proxy's memory stays as it is, and others do not notice.
source "$(dirname "$0")/lib.sh"
make_cluster
rss_kib() { awk '/^VmRSS/ {print $2}' "/proc/${daemon_pid[proxy]}/status"; }
most_kib=256  # for one relayed connection, both directions
stalled=8

node_ssh "$node_host" true
before=$(rss_kib)
clients=()
for number in $(seq "$stalled"); do
  mkfifo "$tmp/never.$number"
  node_ssh "$node_host" 'cat /dev/zero' >"$tmp/never.$number" 2>/dev/null </dev/null &
  clients+=($!)
  exec {reader}<"$tmp/never.$number"
done
moved() { curl -sk --http1.1 "https://$proxy_address/metrics" | awk '/^cairn_proxy_relayed_bytes_total/ {print $2}'; }
is_still() { local was; was=$(moved); sleep 0.5; [[ $(moved) -eq $was && $was -gt $((stalled * 100000)) ]]; }
wait_for 60 "all to be stalled" is_still
after=$(rss_kib)
say "$stalled stalled clients: the proxy grew by $((after - before)) KiB"
# A sanitizer keeps what was freed for a while.
[[ $CAIRN_BUILD == *asan* ]] || ((after - before <= stalled * most_kib)) || die "more than $most_kib KiB each"

say "others do not notice"
for _ in 1 2 3; do [[ $(timeout 20 ssh -F "$tmp/ssh_config" -l "$login" "$node_host" 'head -c 3000000 /dev/zero | wc -c') == 3000000 ]] || die "another session"; done
kill "${clients[@]}"
