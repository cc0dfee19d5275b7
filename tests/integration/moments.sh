# Any moment of a recording can be shown, and playback can begin there.
source "$(dirname "$0")/lib.sh"
make_cluster
node_ssh -tt "$node_host" 'printf "\033[2J\033[Hfirst\n"; sleep 2.2; printf "\033[2J\033[3;5Hsecond\n"; sleep 2.2; printf "\033[2J\033[Hthird\n"' >/dev/null 2>&1
finished_session
cairn play "$session" --at=1 >"$tmp/at1"
[[ $(cat "$tmp/at1") == first ]] || die "at one second: $(cat "$tmp/at1")"
cairn play "$session" --at=0:03 >"$tmp/at3"
[[ $(sed -n 3p "$tmp/at3") == "    second" ]] || die "at three seconds: $(cat "$tmp/at3")"
cairn play "$session" --at=1h >"$tmp/end"
grep -q third "$tmp/end" || die "after the end: $(cat "$tmp/end")"
cairn play "$session" --from=3s --speed=max --events=none >"$tmp/from"
grep -q second "$tmp/from" && grep -q third "$tmp/from" || die "from three seconds on: $(cat "$tmp/from")"
! grep -q first "$tmp/from" || die "what was gone is shown"
expect_failure 2 "no time like" cairn play "$session" --at=yesterday
