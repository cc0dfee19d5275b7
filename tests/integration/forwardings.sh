# What a session forwards: ports both ways, SOCKS, a jump through the node, the agent, X11; by policy, and on record.
source "$(dirname "$0")/lib.sh"
make_cluster
listening() { ss -Hltn "sport = :$1" | grep -q .; }
# A port that nobody has. Below those that the kernel hands out by itself.
free_port() {
  local port
  while port=$((10000 + RANDOM % 20000)) && listening "$port"; do :; done
  echo "$port"
}
master() { ssh -F "$tmp/ssh_config" -l "$login" -o BatchMode=yes -o ControlPath="$tmp/master" "$@"; }
master_asks() { master -O "$@" "$node_host" 2>/dev/null; }

# What answers with what it got, once for each connection, and closes.
echo_port=$(free_port)
python3 -c '
import socket, sys, threading
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
def serve(one):
    got = b""
    while piece := one.recv(65536): got += piece
    one.sendall(b"got " + got); one.close()
while True: threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
' "$echo_port" &
echo_pid=$!
keep_pid=$echo_pid
wait_for 10 "the echo server" listening "$echo_port"
ask() { python3 -c '
import socket, sys
one = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
one.sendall(sys.argv[3].encode()); one.shutdown(socket.SHUT_WR)
got = b""
while piece := one.recv(65536): got += piece
sys.stdout.write(got.decode() + "\n")' "$@"; }

say "-L: a port here is one of the node, and half-closed as TCP is"
local_port=$(free_port)
master -M -N -f -o ExitOnForwardFailure=yes -L "$local_port:localhost:$echo_port" "$node_host"
master_session=$(newest_session)
[[ $(ask localhost "$local_port" hello) == "got hello" ]] || die "-L"
for number in 1 2 3 4 5 6 7 8; do ask localhost "$local_port" "$number" & done | sort | xargs >"$tmp/eight"
[[ $(cat "$tmp/eight") == "got 1 got 2 got 3 got 4 got 5 got 6 got 7 got 8" ]] || die "eight at once: $(cat "$tmp/eight")"

say "who connects is the person"
silent_port=$(free_port)
python3 -c 'import socket, sys, time; one = socket.create_server(("127.0.0.1", int(sys.argv[1]))).accept()[0]; one.recv(1)' "$silent_port" &
wait_for 10 "a silent server" listening "$silent_port"
node_ssh -W "localhost:$silent_port" "$node_host" < <(sleep 60) >/dev/null 2>&1 &
silent_pid=$!
is_the_persons() { ss -Htne "dport = :$silent_port" | grep -q "uid:$(id -u "$login")"; }
wait_for 10 "a connection of the person's" is_the_persons
kill "$silent_pid"

say "a port that refuses, one that does not exist: the client hears that the channel is not opened"
refused_port=$(free_port)
ssh -F "$tmp/ssh_config" -l "$login" -o BatchMode=yes -v -W "localhost:$refused_port" "$node_host" </dev/null >"$tmp/refused" 2>&1 && die "-W to nobody"
grep -q "open failed" "$tmp/refused" && grep -q "Connection refused" "$tmp/refused" || die "$(cat "$tmp/refused")"

say "-W and -J: through the node to a host behind it"
[[ $(printf 'through' | ssh -F "$tmp/ssh_config" -l "$login" -o BatchMode=yes -W "localhost:$echo_port" "$node_host") == "got through" ]] || die "-W"

say "-D: a SOCKS proxy"
socks_port=$(free_port)
master_asks forward -D "$socks_port"
[[ $(python3 -c '
import socket, struct, sys
one = socket.create_connection(("localhost", int(sys.argv[1])), 10)
one.sendall(b"\5\1\0"); assert one.recv(2) == b"\5\0"
one.sendall(b"\5\1\0\3\x09localhost" + struct.pack(">H", int(sys.argv[2]))); assert one.recv(10)[:2] == b"\5\0"
one.sendall(b"socks"); one.shutdown(socket.SHUT_WR)
print(one.recv(100).decode())' "$socks_port" "$echo_port") == "got socks" ]] || die "-D"

say "-R: a port of the node is one here; on loopback alone; the node picks one when asked; cancelled it is free again"
remote_port=$(free_port)
master_asks forward -R "0.0.0.0:$remote_port:localhost:$echo_port"
[[ $(ask 127.0.0.1 "$remote_port" back) == "got back" ]] || die "-R"
! ss -Hltn "sport = :$remote_port" | grep -qvE "127.0.0.1|\[::1\]" || die "it listens for everybody: $(ss -Hltn "sport = :$remote_port")"
picked=$(master_asks forward -R "0:localhost:$echo_port")
ask localhost "$picked" picked >"$tmp/picked" 2>&1 || true
[[ $(cat "$tmp/picked") == "got picked" ]] || die "-R 0: $picked: $(cat "$tmp/picked")"
master_asks cancel -R "0.0.0.0:$remote_port:localhost:$echo_port"
wait_for 10 "the port is free" bash -c "! ss -Hltn 'sport = :$remote_port' | grep -q ."
! master_asks forward -R "80:localhost:$echo_port" || die "a port below 1024 for who is not root"

say "ten megabytes each way at once, unharmed"
cat_port=$(free_port)
python3 -c '
import socket, sys
one = socket.create_server(("127.0.0.1", int(sys.argv[1]))).accept()[0]
while piece := one.recv(65536): one.sendall(piece)
one.shutdown(socket.SHUT_WR)' "$cat_port" &
wait_for 10 "a mirror" listening "$cat_port"
head -c 10000000 /dev/urandom >"$tmp/random"
ssh -F "$tmp/ssh_config" -l "$login" -o BatchMode=yes -W "localhost:$cat_port" "$node_host" <"$tmp/random" | cmp - "$tmp/random" || die "bytes were harmed"

say "-A: programs of the node ask the agent here"
eval "$(ssh-agent)" >/dev/null
ssh-keygen -q -t ed25519 -N '' -C forwarded -f "$tmp/agent_key"
ssh-add -q "$tmp/agent_key"
[[ $(node_ssh -A "$node_host" 'ssh-add -l') == *forwarded* ]] || die "-A: $(node_ssh -A "$node_host" 'echo $SSH_AUTH_SOCK; ssh-add -l' 2>&1)"
[[ $(node_ssh "$node_host" 'echo "socket:$SSH_AUTH_SOCK"') == socket: ]] || die "an agent without -A"
wait_for 10 "the agent's socket is gone" bash -c "! compgen -G '/tmp/ssh-*/agent.*' >/dev/null || [[ \$(ls -d /tmp/ssh-*/agent.* | grep -cv '$SSH_AUTH_SOCK') -eq 0 ]]"
ssh-agent -k >/dev/null

say "X11 is refused by a role that does not permit it"
DISPLAY=:77 node_ssh -Y "$node_host" 'echo "display:$DISPLAY"' >"$tmp/x11" 2>"$tmp/x11.errors"
grep -qx "display:" "$tmp/x11" || die "X11 without permission: $(cat "$tmp/x11" "$tmp/x11.errors")"

say "-Y: programs of the node show windows here, with a cookie that only they have"
admin roles add ops --logins="$login,root" --node-labels='*=*' --verbs=audit,recordings --forward=ports,agent,x11 >/dev/null
mkdir -p /tmp/.X11-unix
rm -f /tmp/.X11-unix/X77
python3 -c '
import socket
server = socket.socket(socket.AF_UNIX); server.bind("/tmp/.X11-unix/X77"); server.listen(1)
one = server.accept()[0]
asked = one.recv(1000)
one.sendall(b"a window" if asked[:1] == b"l" else b"nonsense"); one.close()' &
wait_for 10 "a display" test -S /tmp/.X11-unix/X77
cat >"$tmp/x11_client.py" <<'PYTHON'
import os, socket, struct, subprocess
host, display = os.environ["DISPLAY"].split(":")
cookie = bytes.fromhex(subprocess.run(["xauth", "list", os.environ["DISPLAY"]], check=True, capture_output=True, text=True).stdout.split()[2])
one = socket.create_connection((host, 6000 + int(display.split(".")[0])), 10)
name = b"MIT-MAGIC-COOKIE-1"
one.sendall(struct.pack("<BxHHHHxx", ord("l"), 11, 0, len(name), len(cookie)) + name + b"\0" * (-len(name) % 4) + cookie)
print(one.recv(100).decode())
PYTHON
chmod 755 "$tmp" && chmod 644 "$tmp/x11_client.py"
[[ $(DISPLAY=:77 node_ssh -Y "$node_host" "python3 $tmp/x11_client.py" 2>"$tmp/x11.errors") == "a window" ]] || die "-Y: $(cat "$tmp/x11.errors")"
rm -f /tmp/.X11-unix/X77

say "all of it is on record, with bytes"
master_asks exit
wait_for 60 "the recording of the master's session" recording_is_complete "$master_session"
events "$master_session"
has_event ".forward.kind == \"FORWARD_KIND_LOCAL\" and .forward.phase == \"FORWARD_PHASE_OPENED\" and .forward.host == \"localhost\" and .forward.port == $echo_port"
has_event ".forward.phase == \"FORWARD_PHASE_CLOSED\" and (.forward.sent | tonumber) == 9 and (.forward.received | tonumber) == 5"
has_event ".forward.kind == \"FORWARD_KIND_REMOTE\" and .forward.phase == \"FORWARD_PHASE_LISTENING\" and .forward.port == $remote_port"
has_event ".forward.kind == \"FORWARD_KIND_REMOTE\" and .forward.phase == \"FORWARD_PHASE_REFUSED\""

say "a role without forwardings forwards nothing"
admin roles add ops --logins="$login,root" --node-labels='*=*' --forward=none >/dev/null
ssh -F "$tmp/ssh_config" -l "$login" -o BatchMode=yes -v -W "localhost:$echo_port" "$node_host" </dev/null >"$tmp/refused" 2>&1 && die "-W in spite of the policy"
grep -q "do not permit it" "$tmp/refused" || die "$(cat "$tmp/refused")"
! node_ssh -o ExitOnForwardFailure=yes -R "0:localhost:$echo_port" "$node_host" true 2>"$tmp/refused" || die "-R in spite of the policy"
grep -q "forwarding failed" "$tmp/refused" || die "-R failed for another reason: $(cat "$tmp/refused")"
[[ $(node_ssh -A "$node_host" 'echo "socket:$SSH_AUTH_SOCK"' 2>/dev/null) == socket: ]] || die "-A in spite of the policy"
kill "$keep_pid"
