# What is typed is recorded where the role wants it, but for what a program reads without showing it.
source "$(dirname "$0")/lib.sh"
make_cluster

# A person who reads before typing: each line when the text before it is on the screen.
typed_session() {
  local keys=$tmp/keys
  rm -f "$keys" && mkfifo "$keys"
  : >"$tmp/shown"
  node_ssh -tt "$node_host" 'PS1= exec bash --norc --noprofile' <"$keys" >"$tmp/shown" 2>/dev/null &
  local client=$!
  exec 9>"$keys"
  printf 'echo re"ady"\r' >&9
  wait_for 30 "the shell" grep -q ready "$tmp/shown"
  printf 'read -s -p "wo"rd: first; read -p "li"ne: second\r' >&9
  wait_for 30 "the question for a password" grep -q 'word:' "$tmp/shown"
  printf 'hunter2 hunter2\r' >&9
  wait_for 30 "the question for a line" grep -q 'line:' "$tmp/shown"
  printf 'a visible line\rexit\r' >&9
  exec 9>&-
  wait "$client" || true
  finished_session
  cairn play "$session" --format=json >"$tmp/events.json"
}

say "off by default"
typed_session
! jq -e 'select(.input)' "$tmp/events.json" >/dev/null || die "input was recorded without a role that wants it"

say "with a role that wants it"
admin roles add ops --logins="$login,root" --node-labels='*=*' --verbs=audit,recordings --record-input >/dev/null
typed_session
jq -sr '[.[] | select(.input) | .input.data] | join("")' "$tmp/events.json" >"$tmp/typed"
grep -q "a visible line" "$tmp/typed" || die "what was typed is missing: $(cat "$tmp/typed")"
! grep -q "hunter2" "$tmp/typed" || die "a password was recorded"
[[ $(jq -s '[.[] | select(.input) | .input.hidden_bytes // 0] | add' "$tmp/events.json") -eq 16 ]] ||
  die "what was not shown is not counted: $(jq -c 'select(.input)' "$tmp/events.json")"
! grep -q hunter2 "$tmp/shown" || die "the terminal showed it"
cairn play "$session" --events=only --speed=max >"$tmp/out"
grep -q "typed 16 bytes that were not shown" "$tmp/out" || grep -q "bytes that were not shown" "$tmp/out" || die "the list of events does not tell"
