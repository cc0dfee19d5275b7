# Exports are accepted by the programs whose formats they are, and hold what was on the terminal.
source "$(dirname "$0")/lib.sh"
make_cluster
node_ssh -tt "$node_host" 'printf "\033]52;c;c3RvbGVu\007\033]0;a title\007"; printf "\033[31mred\033[0m\n"; echo ünïcode; sleep 0.3; echo the end' >/dev/null 2>&1
finished_session

say "asciinema plays the second version, and nothing that acts on a terminal is in it"
cairn recordings export "$session" --as=asciicast2 -o "$tmp/session.cast"
jq -es '.[0].version == 2 and (.[1:] | all(type == "array" and length == 3))' "$tmp/session.cast" >/dev/null || die "no asciicast: $(head -3 "$tmp/session.cast")"
jq -sr '[.[1:][] | select(.[1] == "o") | .[2]] | join("")' "$tmp/session.cast" >"$tmp/shown"
grep -q $'\033\[31mred' "$tmp/shown" && grep -q ünïcode "$tmp/shown" && grep -q "the end" "$tmp/shown" || die "the terminal is not in it"
! grep -q $'\033\]' "$tmp/shown" || die "it can act on the terminal of who plays it"
if command -v asciinema >/dev/null; then
  script -qfc "asciinema cat $tmp/session.cast" /dev/null </dev/null | grep -q "the end" || die "asciinema does not play it"  # it wants a terminal
fi

say "the third version has intervals and the exit status"
cairn recordings export "$session" --as=asciicast3 -o "$tmp/session3.cast"
jq -es '.[0].version == 3 and .[0].term.cols > 0 and (.[-1][1] == "x") and (.[-1][2] == "0")' "$tmp/session3.cast" >/dev/null || die "$(tail -2 "$tmp/session3.cast")"
[[ $(jq -s '[.[1:][][0]] | add > 0.3 and add < 60' "$tmp/session3.cast") == true ]] || die "the intervals do not add up"

say "scriptreplay plays the typescript"
cairn recordings export "$session" --as=typescript -o "$tmp/typescript" --timing "$tmp/timing"
scriptreplay --divisor=1000 --timing "$tmp/timing" "$tmp/typescript" >"$tmp/replayed"
grep -q "the end" "$tmp/replayed" || die "scriptreplay does not play it"
cairn recordings export "$session" --as=typescript --raw -o "$tmp/raw" --timing "$tmp/raw-timing"
grep -qa 'c3RvbGVu' "$tmp/raw" || die "--raw is not what was written"
expect_failure 2 "timing" cairn recordings export "$session" --as=typescript -o "$tmp/x"

say "text and events"
cairn recordings export "$session" --as=text >"$tmp/text"
grep -q "the end" "$tmp/text" && ! grep -q $'\033' "$tmp/text" || die "text with escapes, or without text"
cairn recordings export "$session" --as=jsonl | jq -se '.[0].begin.user == "alice" and .[-1].end.reason == "END_REASON_COMPLETE"' >/dev/null || die "jsonl"
