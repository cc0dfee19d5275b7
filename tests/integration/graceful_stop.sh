# A proxy that is told to stop: running sessions go on to its limit, new ones are sent away; and what systemd hears of it.
source "$(dirname "$0")/lib.sh"
make_cluster

# systemd's end of the notify socket: one line per datagram, its own line breaks as blanks.
cat >"$tmp/listen.py" <<'PY'
import socket, sys
heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
heard.bind(sys.argv[1])
while True:
    print(heard.recv(4096).decode().replace("\n", " "), flush=True)
PY
python3 "$tmp/listen.py" "$tmp/notify" >"$tmp/notified" 2>&1 &
listener=$!
wait_for 20 "the socket" test -S "$tmp/notify"

# A session that says "began", reads a line and says it.
begin_session() {
  rm -f "$tmp/line" && mkfifo "$tmp/line"
  : >"$tmp/said"  # what an earlier one has said
  node_ssh "$node_host" 'echo began; read -r line; echo "got $line"' <"$tmp/line" >"$tmp/said" 2>"$tmp/ssh.err" &
  client=$!
  exec 9>"$tmp/line"
  wait_for 20 "the session" grep -q began "$tmp/said"
}
page() { curl -sk --http1.1 "https://$proxy_address$1"; }

say "ready: systemd and load balancers hear it"
stop proxy
NOTIFY_SOCKET=$tmp/notify WATCHDOG_USEC=400000 start_proxy --drain-limit=60s
[[ $(page /readyz) == ready && $(page /healthz) == ok ]] || die "$(page /readyz)"
wait_for 20 "READY=1" grep -q '^READY=1 STATUS=serving' "$tmp/notified"
wait_for 20 "the watchdog's food" grep -q '^WATCHDOG=1' "$tmp/notified"
wait_for 60 "the agent to be back" node_ssh "$node_host" true

say "SIGHUP: a limit from the file holds at once"
kill -HUP "${daemon_pid[proxy]}"
wait_for 20 "the options to be read again" grep -q config.reloaded "$tmp/proxy.log"
wait_for 20 "RELOADING=1" grep -q '^RELOADING=1 MONOTONIC_USEC=' "$tmp/notified"

say "SIGTERM: who is in goes on, and the proxy ends when they have"
begin_session
kill -TERM "${daemon_pid[proxy]}"
wait_for 20 "the draining" grep -q proxy.draining "$tmp/proxy.log"
wait_for 20 "STOPPING=1" grep -q '^STOPPING=1' "$tmp/notified"
wait_for 20 "the port to be given back" eval '! page /healthz'
expect_failure 255 "refused|going down|hung up" node_ssh "$node_host" true
echo "a line" >&9
exec 9>&-
wait "$client" || die "the session ended with $?: $(cat "$tmp/ssh.err")"
[[ $(tail -n 1 "$tmp/said") == "got a line" ]] || die "$(cat "$tmp/said")"
wait "${daemon_pid[proxy]}" || die "the proxy ended with $?"
unset 'daemon_pid[proxy]'

say "the limit: a session that does not end is cut, on record to its last word"
start_proxy --drain-limit=1s
wait_for 60 "the agent to be back" node_ssh "$node_host" true
begin_session
stop proxy
grep -q 'sessions.cut.*sessions=1' "$tmp/proxy.log" || die "no sessions.cut"
wait "$client" && die "the session should have been cut" || true
exec 9>&-
start_proxy
finished_session
has_output "$session" began

say "a second SIGTERM ends it at once"
stop proxy
start_proxy --drain-limit=300s
wait_for 60 "the agent to be back" node_ssh "$node_host" true
begin_session
kill -TERM "${daemon_pid[proxy]}"
wait_for 20 "the draining" grep -q 'proxy.draining.*limit_ms=300000' "$tmp/proxy.log"
stop proxy
wait "$client" && die "the session should have been cut" || true
exec 9>&-
kill "$listener"
