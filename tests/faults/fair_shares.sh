# Sessions that take all they can get share the proxy: none starves, and who comes to it finds it open.
source "$(dirname "$0")/lib.sh"
make_cluster
greedy=4

node_ssh "$node_host" true
for number in $(seq "$greedy"); do
  { node_ssh "$node_host" 'timeout 6 cat /dev/zero' 2>/dev/null </dev/null | wc -c >"$tmp/got.$number"; } &
  pids+=($!)
done
moved() { curl -sk --http1.1 "https://$proxy_address/metrics" | awk '/^cairn_proxy_relayed_bytes_total/ {print $2}'; }
is_flowing() { (($(moved) > 50000000)); }
wait_for 30 "them to be under way" is_flowing
from=$(now_ms)
node_ssh "$node_host" true || die "another session was refused"
took_ms=$(($(now_ms) - from))
kill -0 "${pids[@]}" 2>/dev/null || die "they were to be under way still"
wait "${pids[@]}" || true  # timeout(1) ends them with 124
read -r least most < <(cat "$tmp"/got.* | sort -n | sed -n '1p;$p' | xargs)
say "of $greedy: least $least bytes, most $most; another session meanwhile: $took_ms ms"
((least > 0 && most <= 3 * least)) || die "unfair"
((took_ms <= 5000)) || die "the other session had to wait"
