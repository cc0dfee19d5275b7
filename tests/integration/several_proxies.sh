# Two proxies: the node is connected to both, a person may come through either, and one of them may be away.
source "$(dirname "$0")/lib.sh"
need_root

start_other_proxy() {
  local token=()
  [[ -d $tmp/other ]] || token=(--token "$(new_token proxy)" --ca-pin "$ca_pin")
  "$bin/cairn-proxy" --data-dir "$tmp/other" --listen-address "${other_address:-127.0.0.1:0}" --auth-address "$auth_address" --name proxy-2 \
    "${token[@]}" >"$tmp/other.log" 2>&1 </dev/null &
  daemon_pid[other]=$!
  wait_for 30 "the other proxy" grep -q proxy.ready "$tmp/other.log"
  other_address=$(log_field other proxy.ready address)
}

start_auth
start_proxy
start_other_proxy
printf 'data_dir: %s\nbpf_dir: %s\nname: %s\nproxy_address: %s\n' "$tmp/agent" "$tmp/bpf" "$node_name" "$proxy_address,$other_address" >"$tmp/agent.yaml"
launch agent --config "$tmp/agent.yaml" --token "$(new_token node)" --ca-pin "$ca_pin"
admin roles add ops --logins="$login" --node-labels='*=*' --verbs=audit,recordings >/dev/null
make_user alice ops >/dev/null
log_in alice >/dev/null
write_ssh_config
proxy_address=$other_address log_in alice "$tmp/home2" >/dev/null
CAIRN_HOME=$tmp/home2 cairn config >"$tmp/ssh_config2"
by_other() { CAIRN_HOME=$tmp/home2 ssh -F "$tmp/ssh_config2" -l "$login" -o BatchMode=yes "$@"; }
status() { "$bin/cairn-agent" status --data-dir "$tmp/agent" "$@"; }
is_well() { status >/dev/null; }

say "a session through each"
wait_for 20 "both proxies to be connected" is_well
[[ $(node_ssh "$node_host" 'echo first') == first ]] || die "through the first"
[[ $(by_other "$node_host" 'echo second') == second ]] || die "through the other"

say "the agent says how it is"
[[ $(status | grep -c '^proxy .* connected$') -eq 2 ]] || die "$(status)"
[[ $(status --json | jq -r '.name, .is_heard, (.proxies | length)' | xargs) == "$node_name true 2" ]] || die "$(status --json)"

say "one is killed: sessions through the other go on, are begun, and are recorded to the end"
crash proxy
[[ $(by_other "$node_host" 'echo still here') == "still here" ]] || die "the other should serve"
export CAIRN_HOME=$tmp/home2
finished_session
[[ $(status || true) == *"NOT CONNECTED"* ]] || die "$(status)"
is_online() { [[ $(admin nodes ls --format=json | jq '.[0].online') == "$1" ]]; }
is_online true || die "one proxy is enough to be online"
! is_well || die "status should have ended with 1"

say "it comes back, and so does the agent"
start_proxy
wait_for 60 "both proxies to be connected again" is_well
grep -q tunnel.restored "$tmp/agent.log" || die "no tunnel.restored"
export CAIRN_HOME=$tmp/home
[[ $(node_ssh "$node_host" 'echo back') == back ]] || die "through the first again"

say "SIGHUP: the file names one proxy now, and the other is let go"
sed -i "s/^proxy_address: .*/proxy_address: $proxy_address/" "$tmp/agent.yaml"
kill -HUP "${daemon_pid[agent]}"
wait_for 20 "the other proxy to be let go" grep -q agent.disconnected "$tmp/other.log"
[[ $(status | grep -c '^proxy ') -eq 1 ]] || die "$(status)"
[[ $(node_ssh "$node_host" 'echo one') == one ]] || die "through the first"

say "SIGHUP with a file that is wrong changes nothing"
echo 'max_sesions: 1' >>"$tmp/agent.yaml"
kill -HUP "${daemon_pid[agent]}"
wait_for 20 "the refusal" grep -q 'config.refused.*max_sessions' "$tmp/agent.log"
[[ $(node_ssh "$node_host" 'echo on') == on ]] || die "it should go on"

say "no agent, no status"
stop agent
wait_for 20 "the node to be listed as offline" is_online false
expect_failure 3 "no agent answers" status
stop other
