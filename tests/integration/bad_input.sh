# Bad input gives a clear error, a non-zero exit and no stack trace.
source "$(dirname "$0")/lib.sh"
make_cluster
run_agent() { timeout 60 "$bin/cairn-agent" --data-dir "$tmp/agent-2" --bpf-dir "$tmp/bpf" --proxy-address "$proxy_address" --name web-2 "$@"; }
run_proxy() { timeout 60 "$bin/cairn-proxy" --data-dir "$tmp/proxy-2" --auth-address "$auth_address" --listen-address 127.0.0.1:0 "$@"; }
run_auth() { timeout 60 "$bin/cairn-auth" --data-dir "$tmp/auth-2" --listen-address 127.0.0.1:0 "$@"; }

say "join tokens"
expect_failure 1 'unknown|not known' run_agent --token nonsense --ca-pin "$ca_pin"
expect_failure 1 'expired' run_agent --token "$(new_token node --ttl=1s; sleep 1.1)" --ca-pin "$ca_pin"
used=$(new_token proxy --uses=1)
CAIRN_TEST_PATIENCE=60 bash -c "exec '$bin/cairn-proxy' --data-dir '$tmp/proxy-3' --auth-address '$auth_address' --listen-address 127.0.0.1:0 --token '$used' --ca-pin '$ca_pin'" >"$tmp/proxy-3.log" 2>&1 &
third=$!
wait_for 30 "the third proxy" grep -q proxy.ready "$tmp/proxy-3.log"
kill $third; wait $third || true
expect_failure 1 'used up|no uses left|already used' run_proxy --token "$used" --ca-pin "$ca_pin"
expect_failure 1 'proxy|node' run_agent --token "$(new_token proxy)" --ca-pin "$ca_pin"

say "CA pins"
expect_failure 1 'pin' run_agent --token "$(new_token node)" --ca-pin "sha256:$(printf '0%.0s' {1..64})"
expect_failure 1 'pin' run_agent --token "$(new_token node)"
expect_failure 1 'pin' run_proxy --token "$(new_token proxy)" --ca-pin nonsense
input=$tmp/alice.password expect_failure 4 'pin' env CAIRN_HOME="$tmp/home-2" "$bin/cairn" login --proxy="$proxy_address" --user=alice --ca-pin="sha256:$(printf '0%.0s' {1..64})" --password-stdin

say "configuration"
printf 'name: web-2\nproxy_adress: x\n' >"$tmp/agent.yaml"
expect_failure 2 "agent.yaml:2: unknown key \"proxy_adress\".*proxy_address" "$bin/cairn-agent" --config "$tmp/agent.yaml"
expect_failure 2 "$tmp/missing.yaml" "$bin/cairn-agent" --config "$tmp/missing.yaml"
expect_failure 2 "$tmp/missing.yaml" "$bin/cairn-auth" --config "$tmp/missing.yaml"
expect_failure 2 "$tmp/missing.yaml" "$bin/cairn-proxy" --config "$tmp/missing.yaml"
expect_failure 2 'frobnicate' "$bin/cairn-auth" --frobnicate

say "ports and directories"
expect_failure 1 "in use" run_auth --listen-address "$auth_address"
expect_failure 1 "in use" "$bin/cairn-proxy" --data-dir "$tmp/proxy-3" --auth-address "$auth_address" --listen-address "$proxy_address"
expect_failure 1 "/proc/cairn" run_auth --data-dir /proc/cairn
expect_failure 1 "/proc/cairn" run_agent --data-dir /proc/cairn
expect_failure 1 "another|running|in use" run_agent --data-dir "$tmp/agent"

say "frames"
# Sends the bytes $2 (as printf takes them) on a connection of type $1 with alice's certificate, and keeps the answer.
send_frame() {
  local identity=$tmp/home/identity.pem
  : >"$tmp/answer"
  {
    printf "$2"
    for _ in {1..40}; do [[ -s $tmp/answer ]] && break; sleep 0.05; done  # some connections are closed without an answer
  } | timeout 10 openssl s_client -quiet -no_ign_eof -alpn "$1" -cert "$identity" -key "$identity" \
    -connect "$proxy_address" >"$tmp/answer" 2>/dev/null || true
}
# The answer, or the newest lines of the log of $1, must say $2.
must_say() { wait_for 10 "$1 to say: $2" bash -c "cat '$tmp/answer' <(tail -n 3 '$tmp/$1.log') | grep -qaE -- '$2'"; }
for type in enroll auth; do
  send_frame cairn-$type/1 '\xff\xff\xff\xff'
  grep -qa 'frame of 4294967295 bytes, limit' "$tmp/answer" || die "cairn-$type/1: a frame that is too long: $(cat "$tmp/answer")"
  send_frame cairn-$type/1 '\x00\x00\x00\x03\xff\xff\xff'
  grep -qa 'frame that is no cairn' "$tmp/answer" || die "cairn-$type/1: a frame that is none: $(cat "$tmp/answer")"
  send_frame cairn-$type/1 '\x00\x00\x00\x03\xfa\x3f\x00'
  grep -qa 'unknown kind of' "$tmp/answer" || die "cairn-$type/1: a frame of unknown type: $(cat "$tmp/answer")"
done
send_frame cairn-ssh/1 '\x7f\xff\xff\xff'
must_say proxy 'reason=ssh_request error=.frame of 2147483647 bytes, limit 65536'
send_frame cairn-ssh/1 '\x00\x00\x00\x03\xff\xff\xff'
must_say proxy 'reason=ssh_request error=.frame that is no cairn'
send_frame nonsense/9 ''
cairn ls >/dev/null  # all of them still serve

say "nodes"
expect_failure 255 'unknown|no node' node_ssh "nowhere.$cluster" true
expect_failure 5 'no node|unknown' cairn proxy ssh nowhere
stop agent
expect_failure 6 'offline|not connected' cairn proxy ssh "$node_name"
expect_failure 255 'offline|not connected' node_ssh "$node_host" true

say "people"
input=$tmp/alice.password expect_failure 4 'password' env CAIRN_HOME="$tmp/home-2" "$bin/cairn" login --proxy="$proxy_address" --user=nobody --ca-pin="$ca_pin" --password-stdin
expect_failure 4 'log' env CAIRN_HOME="$tmp/home-2" "$bin/cairn" ls
expect_failure 5 'session' cairn play 00000000-0000-4000-8000-000000000000
expect_failure 2 'login' cairn logni

say "auth is down"
start_agent
stop auth
expect_failure 6 'auth' cairn ls
expect_failure 255 'auth' node_ssh "$node_host" true
start_auth
wait_for 30 "sessions to work again" node_ssh "$node_host" true
