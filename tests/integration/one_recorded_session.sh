# The recording of a command holds what the kernel saw of it, in time order with the terminal bytes, and nothing from outside the session.
source "$(dirname "$0")/lib.sh"
make_cluster

# A listener of our own, and a stranger outside the session that opens a file and runs a program all the while.
python3 -u -c 'import socket
s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1], flush=True)
while True: s.accept()[0].close()' >"$tmp/port" &
listener=$!
wait_for 10 "the listener's port" test -s "$tmp/port"
port=$(cat "$tmp/port")
touch "$tmp/stranger-file"
( while :; do cat "$tmp/stranger-file"; /bin/echo stranger >/dev/null; done ) &
stranger=$!

node_ssh -tt "$node_host" "bash -c 'cat /etc/hostname; /bin/true; exec 3<>/dev/tcp/127.0.0.1/$port'" >"$tmp/seen"
kill $stranger $listener

finished_session
events "$session"
say "executions, with arguments"
has_event '.exec.argv == ["cat", "/etc/hostname"] and .exec.executable.path == "/usr/bin/cat" and (.exec.result // 0) == 0'
has_event '.exec.argv == ["/bin/true"] and (.exec.executable.path | test("/bin/true$"))'
has_event '.exec.argv[0] == "bash" and .exec.argv[1] == "-c"'
say "what each executable holds"
cat_sha256=$(sha256sum /usr/bin/cat | cut -d" " -f1)
has_event ".executable_hash.executable.path == \"/usr/bin/cat\" and .executable_hash.sha256 == \"$cat_sha256\""
say "the open by absolute path"
has_event '.open.file.path == "/etc/hostname" and .open.file.complete == true and .open.result >= 3'
say "the connection, its address, port and result"
has_event ".connect.remote_address == \"127.0.0.1\" and .connect.remote_port == $port and .connect.phase == \"CONNECT_PHASE_RESULT\" and (.connect.result // 0) == 0"
say "the terminal's bytes are what the person saw"
jq -j 'select(.output) | .output.data' "$tmp/events" >"$tmp/recorded"
cmp "$tmp/recorded" "$tmp/seen" || die "recorded and seen output differ"
say "in time order: bash before cat, its exec before its open, that before the output, cat before true, true before the connection"
jq -s -e "
  def at(f): [to_entries[] | select(.value | f) | .key][0];
  at(.exec.argv[0]? == \"cat\") < at(.open.file.path? == \"/etc/hostname\") and
  at(.open.file.path? == \"/etc/hostname\") < at(.output != null) and
  at(.exec.argv[0]? == \"cat\") < at(.exec.argv[0]? == \"/bin/true\") and
  at(.exec.argv[0]? == \"/bin/true\") < at(.connect != null) and
  ([.[].boot_ns | tonumber] | . == sort)" "$tmp/events" >/dev/null || die "the events are out of order"
say "nothing of the stranger"
has_no_event '(.open.file.path // "") | test("stranger-file")'
has_no_event '(.exec.argv // []) | any(. == "stranger")'
say "complete by the kernel's own count"
jq -s -e '.[-1].end | .reason == "END_REASON_COMPLETE" and (.kernel_issued | tonumber) == (.kernel_stored | tonumber) and ((.kernel_missing // "0") | tonumber) == 0' "$tmp/events" >/dev/null ||
  die "the end does not claim completeness: $(tail -n 1 "$tmp/events")"
cairn recordings verify "$session"
