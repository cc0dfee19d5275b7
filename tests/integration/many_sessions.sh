# Many sessions: at once, one after another, and as channels of one connection. Nothing grows with them.
# CAIRN_TEST_LONG=1: 200 at once and 1,000 in a row, in place of 30 and 30.
source "$(dirname "$0")/lib.sh"
make_cluster
at_once=${CAIRN_TEST_LONG:+200}
in_a_row=${CAIRN_TEST_LONG:+1000}
at_once=${at_once:-30} in_a_row=${in_a_row:-30}

descriptors() { ls "/proc/${daemon_pid[$1]}/fd" | wc -l; }
tasks() { ls "/proc/${daemon_pid[$1]}/task" | wc -l; }
rss_kib() { awk '/^VmRSS/ {print $2}' "/proc/${daemon_pid[$1]}/status"; }
is_quiet() { [[ -z $(pgrep -P "${daemon_pid[agent]}") && $(curl -sk --http1.1 "https://$proxy_address/metrics" | awk '/^cairn_proxy_dials_total.*OK/ {n=$2} END {print n+0}') -ge 1 ]]; }

say "$at_once at once"
clients=()
for number in $(seq "$at_once"); do
  node_ssh "$node_host" "echo $number; cat" <<<"end of $number" >"$tmp/out.$number" 2>"$tmp/err.$number" &
  clients+=($!)
done
for client in "${clients[@]}"; do wait "$client" || die "one of them ended with $?: $(cat "$tmp"/err.* | head -3)"; done
for number in $(seq "$at_once"); do [[ $(xargs <"$tmp/out.$number") == "$number end of $number" ]] || die "session $number: $(cat "$tmp/out.$number")"; done
wait_for 60 "all to be recorded" eval '[[ $(cairn recordings ls --format=json | jq "[.[] | select(.recording_complete)] | length") -ge '"$((at_once < 100 ? at_once : 100))"' ]]'

say "$in_a_row in a row: no program grows"
for number in $(seq 10); do node_ssh "$node_host" true; done
wait_for 20 "them to be over" is_quiet
declare -A before
for name in agent proxy auth; do before[$name]="$(descriptors "$name") $(tasks "$name") $(rss_kib "$name")"; done
for number in $(seq "$in_a_row"); do node_ssh "$node_host" true || die "session $number failed"; done
wait_for 20 "them to be over" is_quiet
sleep 2
for name in agent proxy auth; do
  read -r fds threads kib <<<"${before[$name]}"
  say "$name: descriptors $fds, $(descriptors "$name"); tasks $threads, $(tasks "$name"); KiB $kib, $(rss_kib "$name")"
  (($(descriptors "$name") <= fds + 4)) || die "$name keeps descriptors"
  (($(tasks "$name") <= threads + 2)) || die "$name keeps threads"
  # A sanitizer keeps what was freed for a while.
  [[ $CAIRN_BUILD == *asan* ]] || (($(rss_kib "$name") <= kib + 2048 + 4 * in_a_row)) || die "$name keeps memory"
done

say "thirty channels on one connection"
as_user="-F $tmp/ssh_config -o BatchMode=yes -o User=$login"
ssh $as_user -o ControlMaster=yes -o ControlPath="$tmp/mux" -o ControlPersist=60 "$node_host" true
clients=()
for number in $(seq 30); do ssh $as_user -o ControlPath="$tmp/mux" "$node_host" "sleep 1; echo $number" >"$tmp/mux.$number" & clients+=($!); done
for client in "${clients[@]}"; do wait "$client" || die "a channel ended with $?"; done
[[ $(cat "$tmp"/mux.* | sort -n | xargs) == "$(seq 30 | xargs)" ]] || die "$(cat "$tmp"/mux.*)"
ssh $as_user -o ControlPath="$tmp/mux" -O exit "$node_host" 2>/dev/null
