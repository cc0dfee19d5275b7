# scripts/demo: stays up after its session, answers the commands that it prints, and leaves nothing behind after Ctrl-C.
source "$(dirname "$0")/lib.sh"
make_cluster  # skipped here where no kernel events are to be had
left_behind() { { ls -d /tmp/cairn-demo.* 2>/dev/null; mount | grep cairn-demo; getent passwd cairn-demo; pgrep -af /tmp/cairn-demo; } | grep .; }
! pgrep -af /tmp/cairn-demo >"$tmp/before" || skip "a demo is here already: $(head -n 1 "$tmp/before")"
mount | awk '$3 ~ "^/tmp/cairn-demo" { print $3 }' | xargs -r umount -l  # of a demo that was killed
rm -rf /tmp/cairn-demo.*

say "--once, after a demo that was killed and could not remove its account"
id cairn-demo >/dev/null 2>&1 || useradd --no-create-home --home-dir /tmp/cairn-demo.killed/account cairn-demo
"$source_root/scripts/demo" --once >"$tmp/once.log" 2>&1 || die "scripts/demo --once ended with $?: $(tail -n 30 "$tmp/once.log")"
[[ $(grep -c '^  yes ' "$tmp/once.log") -eq 10 ]] || die "not all is in the recording: $(tail -n 30 "$tmp/once.log")"
! left_behind || die "--once left this behind"

say "until Ctrl-C"
env --default-signal=INT setsid "$source_root/scripts/demo" >"$tmp/demo.log" 2>&1 </dev/null &
demo=$!
wait_for 60 "the demo to stay up" grep -q 'Ctrl-C stops everything' "$tmp/demo.log"
(
  eval "$(grep -oP '^ +\Kexport CAIRN_HOME=.*' "$tmp/demo.log")"
  "$bin/cairn" ssh cairn-demo@node-1 'echo by hand' </dev/null | grep -qx 'by hand'
) || die "the demo's own command did not work"
ping=$(printf 'GET /v1/ping HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n' |
  openssl s_client -quiet -alpn http/1.1 -connect "$(grep -oP 'https://\K[^/]+' "$tmp/demo.log")" 2>/dev/null)
grep -q '"cluster":"demo"' <<<"$ping" || die "the API port said: $ping"
kill -INT -- -$demo  # as a terminal does: to the whole group
status=0
wait $demo || status=$?
[[ $status -eq 130 ]] || die "the demo ended with $status"
! left_behind || die "Ctrl-C left this behind"
