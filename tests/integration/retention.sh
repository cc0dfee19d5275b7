# Recordings are kept as long as rules say and held against everybody; what is deleted leaves a trace, and so does every look at one.
source "$(dirname "$0")/lib.sh"
make_cluster
recorded() { node_ssh "$node_host" "echo $1" >/dev/null; finished_session; }
row() { cairn recordings ls --format=json | jq -es --arg id "$1" "flatten | any(.[]; .id == \$id and ($2))" >/dev/null; }
event() { cairn audit search --kind="$1" --session="$2" --format=json | jq -es "flatten | any(.[]; $3)" >/dev/null; }
says() { [[ $("${@:2}") =~ $1 ]] || die "\"${*:2}\" does not say \"$1\" but: $("${@:2}")"; }
files_of() { find "$tmp/auth/recordings" -name "$1.*"; }

say "every look at a recording is on record, and what for"
recorded one; first=$session
recorded two; second=$session
cairn play "$first" --speed=max >/dev/null
cairn recordings download "$first" -o "$tmp/first.rec" >/dev/null
cairn recordings download "$second" -o "$tmp/second.rec" >/dev/null
cairn recordings export "$first" --as=jsonl >/dev/null
cairn recordings verify "$first" >/dev/null
for purpose in play download export verify; do
  event recording.read "$first" ".user == \"alice\" and .fields.purpose == \"$purpose\"" || die "no event of: $purpose"
done
event recording.read "$first" '.fields.form == "jsonl"' || die "no event says in which form"
cairn play "$tmp/first.rec" --speed=max >/dev/null
event recording.read "$first" '.fields.purpose == "key"' || die "a copy was opened with auth's key, and nobody knows"

say "to read is not to delete, and not to hold"
expect_failure 4 'verb "deletion"' cairn recordings rm "$first" --reason=no
expect_failure 4 'verb "holds"' cairn recordings hold "$first" --reason=no
expect_failure 4 'verb "retention"' cairn retention add all --node-labels='*=*' --keep=1s
expect_failure 2 "reason" admin recordings rm "$first"

say "a rule deletes what is over; what is held stays, whatever rules and people say"
admin recordings hold "$first" --reason="case 7"
expect_failure 4 "held since .* by root.* \(case 7\)" admin recordings rm "$first" --early --reason="in the way"
event recording.delete "$first" '.success == false' || die "the attempt is not on record"
exec 9> >(node_ssh "$node_host" 'cat >/dev/null' 2>/dev/null)
wait_for 30 "a live session" eval '[[ $(newest_session) != "$second" ]]'
live=$(newest_session)
admin retention add test-nodes --node-labels=env=test --keep=1s
says "test-nodes +1s +env=test" admin retention ls
wait_for 60 "the rule to delete $second" row "$second" '.deletion.rule == "test-nodes"'
[[ -z $(files_of "$second") ]] || die "left: $(files_of "$second")"
[[ -n $(files_of "$first") ]] || die "the held one is gone"
row "$live" 'has("deletion") | not' || die "a live one is deleted"
expect_failure 5 "was deleted .* by the retention rule" cairn play "$second"
expect_failure 4 "does not give its key .*was deleted" cairn play "$tmp/second.rec" --speed=max
says "$second +deleted.*deleted .* by retention rule test-nodes" cairn recordings ls
exec 9>&-
wait_for 60 "the rule to delete $live when it has ended" row "$live" 'has("deletion")'

say "the log still verifies, and proves of a copy that it is what was deleted"
cairn audit verify >/dev/null
root=$(cairn recordings verify "$tmp/second.rec" --format=json | jq -r .integrity.root)
[[ ${#root} -eq 64 ]] || die "the copy has no root: $root"
event recording.delete "$second" ".success and .fields.root == \"$root\" and .fields.by == \"retention rule test-nodes\"" || die "no tombstone"
event session.end "$second" ".fields.root == \"$root\"" || die "no seal"

say "a file that comes back from a backup goes at the next start"
stop auth
cp "$tmp/second.rec" "$tmp/auth/recordings/$second.rec"
start_auth
[[ -z $(files_of "$second") ]] || die "it is back"
[[ -n $(files_of "$first") ]] || die "the held one is gone"

say "who releases it, lets the rule have it"
expect_failure 4 'verb "holds"' cairn recordings release "$first" --reason=no
admin recordings release "$first" --reason="case 7 is closed"
wait_for 60 "the rule to delete $first" row "$first" 'has("deletion")'

say "a promise is broken on word that it is, and with a trace"
admin retention add test-nodes --node-labels=env=test --keep=30d
recorded three
expect_failure 4 "kept until .*--early" admin recordings rm "$session" --reason="by mistake"
admin recordings rm "$session" --early --reason="by mistake"
[[ -z $(files_of "$session") ]] || die "left: $(files_of "$session")"
event recording.delete "$session" '.success and .fields.reason == "by mistake" and (.fields.promised | startswith("until"))' || die "no trace"
node_ssh "$node_host" true || die "the node has stumbled over what was deleted"
! ls "$tmp"/agent/spool/*.corrupt 2>/dev/null || die "the node holds a deleted recording for damaged"
