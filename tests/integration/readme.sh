# The README's first five minutes, exactly as they stand there, on the default ports; then its last line, which leaves nothing behind.
# In a network and a mount namespace of its own, so that neither this machine's ports nor its PAM services matter.
source "$(dirname "$0")/lib.sh"
need_root
if [[ ${1:-} != inside ]]; then
  unshare --mount --net true 2>/dev/null || skip "needs to make network and mount namespaces"
  trap - EXIT
  rm -rf "$tmp"
  exec unshare --mount --net bash "$0" inside
fi
ip link set lo up
mkdir "$tmp/pam.d" && cp -a /etc/pam.d/. "$tmp/pam.d/" && rm -f "$tmp/pam.d/cairn"
mount --bind "$tmp/pam.d" /etc/pam.d

cd "$source_root"
sed -n '/^## The first five minutes/,/^## /p' README.md | sed -n '/^```sh$/,/^```$/p' | sed '1d;$d' >"$tmp/block"
grep -q 'cairn play' "$tmp/block" || die "the README's block was not found"
last_line=$(grep -oP '^Then: `\K[^`]+' README.md) || die "the README's last line was not found"
{
  echo 'set -m'
  sed "s|\$PWD/build/release/bin|$bin|" "$tmp/block"
  printf '%s\n' "$last_line"
} >"$tmp/script"
timeout 120 bash -e "$tmp/script" >"$tmp/told" 2>"$tmp/readme.log" </dev/null || die "it ended with $?; it told: $(cat "$tmp/told")"

say "what it shows"
grep -q "web-1 .*online" "$tmp/told" || die "the node is not listed as online: $(cat "$tmp/told")"
grep -qx "$(cat /etc/hostname)" "$tmp/told" || die "cairn ssh did not show the host name"
grep -q 'load average' "$tmp/told" || die "plain ssh did not show the load"
grep -qE '^ +exec +pid [0-9]+ uid 0 .*uptime' "$tmp/told" || die "the playback does not show the program"
grep -q 'session.start' "$tmp/told" || die "the audit log does not show the session"
[[ ! -e /etc/pam.d/cairn ]] || die "the PAM service was left behind"
