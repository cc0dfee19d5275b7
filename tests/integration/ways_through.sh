# Between the parties stand others: a TCP load balancer before the proxy (PROXY protocol), an HTTP proxy before the agent (HTTPS_PROXY).
source "$(dirname "$0")/lib.sh"
need_root
support=$source_root/tests/support

say "the cluster behind a load balancer, which says that clients come from 192.0.2.7"
start_auth
start_proxy --proxy-protocol-from=127.0.0.0/8
direct_address=$proxy_address
python3 "$support/balancer.py" "$proxy_address" 192.0.2.7 5022 >"$tmp/balancer.log" 2>&1 &
wait_for 20 "the balancer" grep -q listening "$tmp/balancer.log"
proxy_address=$(sed -n 's/^listening on //p' "$tmp/balancer.log")

say "the agent behind an HTTP proxy that wants a password"
python3 "$support/http_connect.py" me:secret >"$tmp/connect.log" 2>&1 &
wait_for 20 "the HTTP proxy" grep -q listening "$tmp/connect.log"
HTTPS_PROXY=http://me:secret@$(sed -n 's/^listening on //p' "$tmp/connect.log") start_agent
admin roles add ops --logins="$login" --node-labels='*=*' --verbs=audit,recordings >/dev/null
make_user alice ops >/dev/null
log_in alice >/dev/null
write_ssh_config

say "a session: the node sees the client as the balancer saw it"
[[ $(node_ssh "$node_host" 'echo ${SSH_CONNECTION% * *}') == "192.0.2.7 5022" ]] || die "$(node_ssh "$node_host" 'echo $SSH_CONNECTION')"
finished_session

say "the control connection, the dial-back and auth: all by the HTTP proxy"
[[ $(grep -c "^CONNECT $proxy_address 200" "$tmp/connect.log") -ge 4 ]] || die "$(cat "$tmp/connect.log")"

say "who comes past the balancer is refused, and the log says why"
proxy_address=$direct_address expect_failure 6 "hung up" log_in alice
wait_for 20 "the log line" grep -q 'connection.refused.*proxy_header.*must send one' "$tmp/proxy.log"

say "a wrong password at the HTTP proxy is said, and tried again"
stop agent
printf '%s\n' "$(sed -n 's/^listening on //p' "$tmp/connect.log")" >"$tmp/connect.address"
HTTPS_PROXY=http://me:wrong@$(cat "$tmp/connect.address") "$bin/cairn-agent" --data-dir "$tmp/agent" --proxy-address "$proxy_address" \
  --bpf-dir "$tmp/bpf" --name "$node_name" >>"$tmp/agent.log" 2>&1 </dev/null &
daemon_pid[agent]=$!
wait_for 30 "the refusal in the agent's log" grep -q 'tunnel.lost.*407 .*Proxy Authentication Required' "$tmp/agent.log"
stop agent

say "NO_PROXY leads past it"
HTTPS_PROXY=http://me:wrong@$(cat "$tmp/connect.address") NO_PROXY=10.0.0.0/8,127.0.0.0/8 start_agent
[[ $(node_ssh "$node_host" 'echo direct') == direct ]] || die "directly"
stop agent
stop proxy

say "IPv6 alone"
rm -rf "$tmp/proxy"
stop auth
auth_address='[::1]:0' start_auth
auth_address=$(log_field auth auth.ready address)
proxy_address='[::1]:0'
start_proxy
start_agent
log_in alice >/dev/null
[[ $(node_ssh "$node_host" 'echo ${SSH_CONNECTION%% *}') == "::1" ]] || die "$(node_ssh "$node_host" 'echo $SSH_CONNECTION')"
