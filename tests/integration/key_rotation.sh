# Recordings are given to keys that came later, without being rewritten: whoever has such a key reads them, with age and by our own player.
source "$(dirname "$0")/lib.sh"
command -v age-keygen zstd >/dev/null || skip "needs age and zstd"
age-keygen -o "$tmp/auditor.key" 2>/dev/null
auditor=$(age-keygen -y "$tmp/auditor.key")
nobody() { CAIRN_HOME=$tmp/nobody "$bin/cairn" "$@"; }
identities() { grep -c ^AGE-SECRET-KEY "$tmp/auth/ca/recordings.age"; }
shows() { cairn play "$1" --speed=max >"$tmp/out" 2>&1 && grep -q "the $2 secret" "$tmp/out"; }
make_cluster
node_ssh "$node_host" 'echo the first secret' >/dev/null
finished_session
first=$session
cairn recordings download "$first" -o "$tmp/before.rec"
cp "$tmp/auth/ca/recordings.age" "$tmp/old.key"

say "an auditor comes later, and cannot read what is there until it is given to them"
stop auth
start_auth --recording-recipients "cluster,$auditor"
expect_failure 4 "encrypted" env CAIRN_HOME="$tmp/nobody" "$bin/cairn" play "$tmp/before.rec" --identity "$tmp/auditor.key" --speed=max
expect_failure 4 'verb "keys"' cairn keys rewrap
wait_for 30 "auth to be back" admin keys rewrap --format=json
cairn recordings download "$first" -o "$tmp/first.rec"
cmp "$tmp/before.rec" "$tmp/first.rec" || die "the recording was rewritten"
admin keys rewrap --format=json | jq -e '.wrapped == 0 and .unchanged > 0' >/dev/null || die "wrapped twice"

say "age opens it for the auditor, for the cluster, and for nobody else"
[[ $(age -d -i "$tmp/auditor.key" "$tmp/first.rec.keys" | wc -c) -eq 32 ]] || die "age does not open it"
[[ $(age -d -i "$tmp/auth/ca/recordings.age" "$tmp/first.rec.keys" | wc -c) -eq 32 ]] || die "the cluster was left out"
age-keygen -o "$tmp/stranger.key" 2>/dev/null
! age -d -i "$tmp/stranger.key" "$tmp/first.rec.keys" >/dev/null 2>&1 || die "a stranger opens it"
"$source_root/tests/support/read_with_keys.py" "$tmp/first.rec" "$tmp/auditor.key" >"$tmp/terminal"
grep -q "the first secret" "$tmp/terminal" || die "age, Python and zstd do not show the terminal"
nobody play "$tmp/first.rec" --identity "$tmp/auditor.key" --speed=max >"$tmp/out"
grep -q "the first secret" "$tmp/out" || die "the auditor sees nothing in the copy"
cairn play "$first" --identity "$tmp/auditor.key" --speed=max >"$tmp/out"
grep -q "the first secret" "$tmp/out" || die "the auditor sees nothing at auth"
cairn recordings verify "$first" --format=json >"$tmp/out"
jq -e '.integrity.verdict == "intact"' "$tmp/out" >/dev/null || die "it does not verify any more"

say "the cluster's key is replaced"
wait_for 60 "the node to be back" node_ssh "$node_host" true
admin keys rotate
[[ $(identities) -eq 2 ]] || die "$(identities) identities"
node_ssh "$node_host" 'echo the second secret' >/dev/null
finished_session
second=$session
cairn recordings download "$second" -o "$tmp/second.rec"
expect_failure 4 "encrypted" env CAIRN_HOME="$tmp/nobody" "$bin/cairn" play "$tmp/second.rec" --identity "$tmp/old.key" --speed=max
shows "$first" first && shows "$second" second || die "auth does not read both: $(cat "$tmp/out")"

say "the old key is kept until nothing needs it"
expect_failure 2 "cairn keys rewrap" admin keys drop
admin keys rewrap
admin keys drop
[[ $(identities) -eq 1 ]] || die "$(identities) identities"
stop auth
start_auth --recording-recipients "cluster,$auditor"
wait_for 30 "auth to read the first by the new key" shows "$first" first
wait_for 30 "auth to read the second by the new key" shows "$second" second
wait_for 30 "the node to be back" node_ssh "$node_host" true
cairn audit search --kind=keys. --format=json >"$tmp/out"
jq -e '[.[].kind] | contains(["keys.rotate", "keys.rewrap", "keys.drop"])' "$tmp/out" >/dev/null || die "not on record"
cairn audit verify >/dev/null
