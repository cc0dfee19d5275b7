# What was seen in sessions is found: on the screen, in commands, files and connections; live too; and where auth cannot read, with the key.
source "$(dirname "$0")/lib.sh"
command -v age-keygen >/dev/null || skip "needs age"
make_cluster

say "in a session that has ended"
printf 'sleep 1.2\nhead -n 1 /etc/passwd\nsleep 0.2\nexit 0\n' | node_ssh -tt "$node_host" >"$tmp/shown" 2>&1 || die "the session: $(cat "$tmp/shown")"
finished_session
cairn recordings grep '^root:x:0:0' >"$tmp/found"
grep -q "^$session  alice as $login on $node_name, " "$tmp/found" || die "no heading: $(cat "$tmp/found")"
grep -qE '^  0:00:0[1-9]  .*root:x:0:0:.*' "$tmp/found" || die "no line with its time: $(cat "$tmp/found")"
cairn recordings grep -i '^ROOT:X:0:0' "${session:0:8}" --format=json >"$tmp/json"
jq -e -s --arg id "$session" 'length == 1 and .[0].session_id == $id and .[0].source == "output" and .[0].at_ms >= 1000' "$tmp/json" >/dev/null || die "as JSON: $(cat "$tmp/json")"
cairn recordings grep /etc/passwd --in=files >"$tmp/files" || die "the file is not found"
grep -q "\[head -n 1 /etc/passwd\]" "$tmp/files" || die "without the command that opened it: $(cat "$tmp/files")"
cairn recordings grep '^head -n 1 /etc/passwd$' --in=commands >/dev/null || die "the command is not found"
expect_failure 5 'nothing found; recordings searched: ' cairn recordings grep 'nowhere to be seen'
expect_failure 5 'nothing found; recordings searched: ' cairn recordings grep root --user=bob
expect_failure 2 'the pattern: missing \): \($' cairn recordings grep '('

say "as play takes it"
at=$(grep -oE '0:00:0[0-9]' "$tmp/found" | head -1)
cairn play "$session" --at="0:00:0$((${at: -1} + 1))" | grep -q "root:x:0:0" || die "at $at the screen does not show it"

say "while it lives"
mkfifo "$tmp/typed"
node_ssh -tt "$node_host" 'stty -echo; while read -r line; do echo "said $line"; done' <"$tmp/typed" >"$tmp/seen" 2>/dev/null &
client=$!
exec 9>"$tmp/typed"
echo "something alive" >&9
wait_for 20 "the session's own answer" grep -q "said something" "$tmp/seen"
wait_for 10 "the live line to be found" cairn recordings grep 'said something alive'
printf '\004' >&9
exec 9>&-
wait $client || true
finished_session
live=$session

say "many pages give all lines"
node_ssh -tt "$node_host" 'seq -f "number %.0f" 5000' >/dev/null 2>&1
finished_session
[[ $(cairn recordings grep '^number ' "$session" --format=json | jq -r .line | sort -u | wc -l) -eq 5000 ]] || die "lines are missing"

say "a file, and what auth has derived is a cache"
cairn recordings download "$live" -o "$tmp/live.rec" >/dev/null
cairn recordings grep 'something alive' "$tmp/live.rec" >"$tmp/here"
grep -q 'said something alive' "$tmp/here" || die "in a file: $(cat "$tmp/here")"
stop auth
rm -rf "$tmp/auth/derived"
start_auth
wait_for 20 "auth to answer" cairn status
[[ $(cairn recordings grep '^number ' "$session" --format=json | wc -l) -eq 5000 ]] || die "what was dropped was not made anew"

say "encrypted to an auditor alone"
age-keygen -o "$tmp/auditor.key" 2>/dev/null
stop auth
start_auth --recording-recipients "$(age-keygen -y "$tmp/auditor.key")"
wait_for 20 "auth to answer" node_ssh "$node_host" true
node_ssh -tt "$node_host" 'echo for auditors only' >/dev/null 2>&1
finished_session
expect_failure 3 "auth is not among those who can read it; --identity" cairn recordings grep 'for auditors only'
cairn recordings grep 'for auditors only' --identity="$tmp/auditor.key" >"$tmp/audited" || die "the auditor's key does not help: $(cat "$tmp/audited")"
grep -q 'for auditors only' "$tmp/audited"
! grep -rqa 'for auditors' "$tmp/home/derived" || die "what was derived lies in the clear"

say "on record"
[[ $(cairn audit search --kind=recording.search --all --format=json | jq '[.[] | select(.fields.pattern == "for auditors only")] | length') -eq 2 ]] || die "the searches are not in the audit log"
