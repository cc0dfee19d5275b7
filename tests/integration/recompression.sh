# Auth recompresses recordings once their sessions are over: fewer bytes, the same events, the same signatures, to our own programs and to others'.
source "$(dirname "$0")/lib.sh"
command -v age-keygen zstd >/dev/null || skip "needs age and zstd"
age-keygen -o "$tmp/auditor.key" 2>/dev/null
age-keygen -o "$tmp/later.key" 2>/dev/null
auditor=$(age-keygen -y "$tmp/auditor.key")
later=$(age-keygen -y "$tmp/later.key")
auth_options=(--recording-recipients "cluster,$auditor" --recompress-after 0)
rec() { printf '%s/auth/recordings/%s.rec' "$tmp" "$1"; }
is_archived() { grep -qa CRNA "$(rec "$1")"; }
is_on_record() { cairn audit search --kind=recording.recompress --session="$1" --format=json | jq -e 'length == 1' >/dev/null; }
all_archived() { for each in "$@"; do is_archived "$each" && is_on_record "$each" || return 1; done; }
verdict() { cairn recordings verify "$1" --format=json | jq -e '.integrity.verdict == "intact" and .complete' >/dev/null; }
nobody() { CAIRN_HOME=$tmp/nobody "$bin/cairn" "$@"; }
restart_auth() {
  start_auth --recording-recipients "cluster,$auditor" --recompress-after "$1"
  wait_for 60 "auth to be back" cairn recordings ls
}
make_cluster

say "with 0 nothing is recompressed"
node_ssh "$node_host" 'echo the first line; find /usr -ls | head -n 30000; echo the last line' >/dev/null
finished_session
first=$session
sleep 2
! is_archived "$first" || die "it was recompressed"
bytes=$(stat -c %s "$(rec "$first")")
events "$first" && mv "$tmp/events" "$tmp/events.before"
cairn play "$first" --speed=max >"$tmp/play.before"
cairn recordings grep 'the last line' "$first" >"$tmp/grep.before"
cairn recordings verify "$first" --format=json >"$tmp/verdict.before"
cairn recordings trust >"$tmp/cluster.pem"

say "with a delay it is, and plays, is found and verifies as before"
stop auth
restart_auth 1
wait_for 60 "the recording to be recompressed" all_archived "$first"
now=$(stat -c %s "$(rec "$first")")
((now * 10 < bytes * 9)) || die "$bytes bytes became $now"
cairn recordings ls --format=json | jq -e --arg id "$first" --argjson bytes "$now" '.[] | select(.id == $id) | (.recording_bytes | tonumber) == $bytes' >/dev/null ||
  die "recordings ls does not know its size"
events "$first"
cmp "$tmp/events" "$tmp/events.before" || die "other events"
cairn play "$first" --speed=max >"$tmp/play.after"
cmp "$tmp/play.before" "$tmp/play.after" || die "another play"
cairn recordings grep 'the last line' "$first" >"$tmp/grep.after"
cmp "$tmp/grep.before" "$tmp/grep.after" || die "found elsewhere"
cairn recordings verify "$first" --format=json >"$tmp/verdict.after"
jq -e '.integrity.verdict == "intact" and .integrity.archived_chunks > 0 and .sequence_complete and .findings == []' "$tmp/verdict.after" >/dev/null ||
  die "$(cat "$tmp/verdict.after")"
[[ $(jq -r .integrity.root "$tmp/verdict.after") == "$(jq -r .integrity.root "$tmp/verdict.before")" ]] || die "another root"
cairn recordings verify "$first" | grep -q '^recompressed ' || die "verify does not tell people"
cairn recordings export "$first" --as=asciicast2 -o "$tmp/cast"
grep -q 'the last line' "$tmp/cast" || die "the export lacks the end"

say "others' programs read and verify it, too"
cairn recordings download "$first" -o "$tmp/whole.rec"
nobody recordings verify "$tmp/whole.rec" --trust "$tmp/cluster.pem"
"$source_root/cli/evidence/verify_recording.py" "$tmp/whole.rec" "$tmp/cluster.pem" "$tmp/auditor.key" >"$tmp/terminal"
grep -q 'the last line' "$tmp/terminal" || die "age and zstd do not show the terminal"
nobody play "$tmp/whole.rec" --identity "$tmp/auditor.key" --speed=max | cmp - "$tmp/play.before" || die "the copy plays otherwise"
(cd "$tmp" && cairn recordings bundle "$first" -o bundle.tar && tar -xf bundle.tar && cd "$first" && python3 verify_recording.py recording.rec cluster.pem) ||
  die "the bundle does not verify"

say "somebody who alters it is found out with and without a key"
cp "$tmp/whole.rec" "$tmp/bad.rec"
at=$(grep -obUa CRNA "$tmp/bad.rec" | sed -n 2p | cut -d : -f 1)
printf 'x' | dd of="$tmp/bad.rec" bs=1 seek=$((at + 5000)) conv=notrunc status=none
status=0
nobody recordings verify "$tmp/bad.rec" --trust "$tmp/cluster.pem" --format=json >"$tmp/out" 2>/dev/null || status=$?
[[ $status -eq 3 ]] || die "verify exited with $status"
jq -e '.integrity.verdict == "altered" and .integrity.bad_chunk > 0' "$tmp/out" >/dev/null || die "$(cat "$tmp/out")"
! "$source_root/cli/evidence/verify_recording.py" "$tmp/bad.rec" "$tmp/cluster.pem" 2>/dev/null || die "the script takes it"
head -c $((at + 190)) "$tmp/whole.rec" >"$tmp/cut.rec"
expect_failure 3 "ends after" env CAIRN_HOME="$tmp/nobody" "$bin/cairn" recordings verify "$tmp/cut.rec" --trust "$tmp/cluster.pem" --identity "$tmp/auditor.key"

say "keys that come later open it"
stop auth
auditor+=",$later"
restart_auth 1
admin keys rewrap
cairn recordings download "$first" -o "$tmp/later.rec"
"$source_root/tests/support/read_with_keys.py" "$tmp/later.rec" "$tmp/later.key" >"$tmp/terminal"
grep -q 'the last line' "$tmp/terminal" || die "the later key does not open it"

say "auth is killed while it recompresses, at any moment"
stop auth
restart_auth 0
wait_for 60 "the node to be back" node_ssh "$node_host" true
sessions=()
for i in 1 2 3; do
  node_ssh "$node_host" "echo session $i; find /usr -ls | head -n 40000" >/dev/null
  finished_session
  sessions+=("$session")
  cairn play "$session" --speed=max >"$tmp/play.$session"
done
stop auth
is_recompressing() { pgrep -P "${daemon_pid[auth]}" -f '^cairn-recompress'; }
killed=0
for pause in 0 0.03 0.06 0.1 0.15 0.2 0.3 0.4; do
  start_auth --recording-recipients "cluster,$auditor" --recompress-after 1
  if ! { is_archived "${sessions[0]}" && is_archived "${sessions[1]}" && is_archived "${sessions[2]}"; }; then
    wait_for 60 "auth to recompress" is_recompressing
    sleep "$pause"
    killed=$((killed + 1))
  fi
  crash auth
done
((killed >= 4)) || die "auth was killed $killed times only while it recompressed"
restart_auth 1
wait_for 120 "all to be recompressed" all_archived "${sessions[@]}"
for each in "${sessions[@]}"; do
  verdict "$each" || die "$each: $(cairn recordings verify "$each")"
  cairn play "$each" --speed=max | cmp - "$tmp/play.$each" || die "$each plays otherwise"
done
admin recordings rm "${sessions[0]}" --reason=test
! ls "$tmp/auth/recordings/${sessions[0]}"* 2>/dev/null || die "something is left of what was deleted"
cairn audit verify >/dev/null
