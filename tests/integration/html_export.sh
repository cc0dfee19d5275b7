# A recording as one HTML file: a browser opens it from disk, plays it, finds things in it and says what was verified, and nothing that
# was on the terminal is more to it than text.
source "$(dirname "$0")/lib.sh"
chromium=$(command -v chromium || command -v chromium-browser) || skip "needs a chromium"
[[ -d $source_root/web/node_modules/playwright-core ]] || skip "needs web/node_modules (the build installs it)"
export CHROMIUM=$chromium
make_cluster

say "a session with commands, a connection, and output that would like to be more"
coproc listener { exec python3 -c '
import socket
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
s.accept()[0].sendall(b"hello from the listener\n")
'; }
read -r port <&"${listener[0]}"
cat >"$tmp/hostile" <<'TEXT'
printf '\033]0;stolen title\007\033]8;;https://evil.example/\007link\033]8;;\007\033]52;c;c3RvbGVu\007\033P+q544e\033\\\n'
printf '</script><script>globalThis.pwned=1</script><img src=x onerror=globalThis.pwned=1>\n--></textarea>\n'
TEXT
keys() {
  sleep 1; printf 'cat /etc/hostname\r'
  sleep 0.5; printf 'head -1 </dev/tcp/127.0.0.1/%s\r' "$port"
  sleep 0.5; printf 'bash %s\r' "$tmp/hostile"
  sleep 0.5; printf "/bin/echo '</script><img src=x onerror=globalThis.pwned=1>'\r"
  sleep 0.5; printf "printf '\\\\033[31mr\\\\303\\\\274ckw\\\\303\\\\244rts\\\\033[0m\\\\n'; seq 1 400\r"
  # Programs that use the whole screen, those that are here, and enough output for several segments.
  sleep 0.5; printf 'top -d 0.3\r'; sleep 0.7; printf 'M'; sleep 0.4; printf 'q'
  if command -v vim >/dev/null; then
    sleep 0.5; printf 'vim -n /etc/services\r'; sleep 0.5; printf '\006'; sleep 0.2; printf ':split\r'; sleep 0.2; printf '/tcp\r'; sleep 0.4; printf ':qa!\r'
  fi
  if command -v tmux >/dev/null; then
    sleep 0.5; printf 'tmux -L cairn-it -f /dev/null\r'; sleep 0.7; printf '\002%%'; sleep 0.4; printf 'seq 1 50\r'; sleep 0.4; printf '\002&'; sleep 0.2; printf 'y'
  fi
  sleep 0.5; printf 'seq 1 90000; echo the; /bin/echo end of it\r'
  sleep 1.5; printf 'exit\r'; sleep 0.5
}
chmod 755 "$tmp"; chmod 644 "$tmp/hostile"
keys | node_ssh -tt "$node_host" >"$tmp/seen" 2>&1 || die "the session failed: $(cat "$tmp/seen")"
finished_session

say "what our own player shows at some moments"
for at in $(seq 1 2 25); do
  cairn play "$session" --at="$at" >"$tmp/moment"
  jq -Rs --argjson at "$at" '[$at * 1000 - 1, .]' "$tmp/moment"  # a millisecond of the page reaches to the next
done | jq -s . >"$tmp/moments.json"

say "the browser opens it, plays it, jumps, searches, tells what was verified, and asks nobody for anything"
cairn recordings export "$session" --as=html -o "$tmp/session.html"
[[ $(grep -c "globalThis.pwned" "$tmp/session.html") -eq 0 ]] || die "text of the recording lies open in the page"
jq --slurpfile moments "$tmp/moments.json" '.moments = $moments[0]' >"$tmp/expected.json" <<JSON
{"verdict": "ok", "badge": "verified", "title": "alice as $login on $node_name", "end": "end of it",
 "commands": ["cat /etc/hostname", "head -1", "seq 1 400"],
 "search": [["RÜCKWÄRTS", "rückwärts"], ["hello from the listener", "hello from the listener"], ["127.0.0.1:$port", "connect"],
            ["onerror=globalThis", "</script><img"], ["/etc/hostname", "cat /etc/hostname"]],
 "facts": ["intact and complete", "chunks are signed by the session", "in the cluster's audit log", "auth sealed the whole", "alice", "$session"]}
JSON
node "$source_root/web/tests/open_page.mjs" "$tmp/session.html" "$tmp/expected.json" ${CAIRN_TEST_PICTURE:-} || die "the page is not what it should be"

say "the same recording makes the same page but for the time at which it was made"
cairn recordings export "$session" --as=html -o "$tmp/again.html"
[[ $(diff "$tmp/session.html" "$tmp/again.html" | grep -c '^[<>]') -le 2 ]] || die "two exports differ in more than their index"

say "what cannot be relied on is said first"
cairn recordings download "$session" -o "$tmp/whole.rec"
cairn recordings trust >"$tmp/cluster.pem"
python3 - "$tmp" <<'PYTHON'
import pathlib, sys
folder = pathlib.Path(sys.argv[1])
data = bytearray((folder / "whole.rec").read_bytes())
data[-5] ^= 1
(folder / "altered.rec").write_bytes(data)
PYTHON
cairn recordings export "$tmp/altered.rec" --as=html --trust "$tmp/cluster.pem" -o "$tmp/altered.html" || true
jq '.verdict = "bad" | .badge = "" | .facts = ["Do not rely on this"]' "$tmp/expected.json" >"$tmp/bad.json"
node "$source_root/web/tests/open_page.mjs" "$tmp/altered.html" "$tmp/bad.json" || die "the altered one"
CAIRN_HOME=$tmp/nobody "$bin/cairn" recordings export "$tmp/whole.rec" --as=html -o "$tmp/unproved.html" 2>"$tmp/err" && die "encrypted, and still exported"
grep -q "encrypted" "$tmp/err" || die "it does not say why: $(cat "$tmp/err")"
