# The audit log is a tree that only grows: who changes the database behind auth's back is found out, and by whom is not asked.
source "$(dirname "$0")/lib.sh"
command -v sqlite3 >/dev/null || skip "needs sqlite3"
make_cluster
node_ssh "$node_host" 'echo recorded' >/dev/null
finished_session

say "it verifies, and a seal is in it"
cairn audit verify --format=json >"$tmp/verdict.json"
jq -e '.intact and .events > 5 and .known_before == 0' "$tmp/verdict.json" >/dev/null || die "$(cat "$tmp/verdict.json")"
sealed=$(cairn recordings verify "$session" --format=json | jq -r .integrity.root)
[[ $(cairn audit search --kind=session.end --format=json | jq -r '.[0].fields.root') == "$sealed" ]] || die "the seal is not in the log"

say "others compute the same root"
cairn audit search --all --order=oldest --format=json >"$tmp/events.json"
cairn audit verify --format=json >"$tmp/verdict.json"
python3 - "$tmp" <<'PYTHON'
import hashlib, json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
def root(leaves):
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root(leaves[:split]) + root(leaves[split:])).digest()
events = sorted(json.loads((folder / "events.json").read_text()), key=lambda event: event["leaf"])
leaves = []
for event in events:
    entry = {key: event[key] for key in event if key != "leaf"}
    leaves.append(hashlib.sha256(b"\0" + json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).digest())
verdict = json.loads((folder / "verdict.json").read_text())
assert root(leaves[:verdict["events"]]).hex() == verdict["root"], "another root"
PYTHON

say "an event that is changed, one that is taken out, and a log that was made anew"
db=$tmp/auth/auth.db
stop auth
cp "$db" "$tmp/good.db"
sqlite3 "$db" "UPDATE audit_events SET user_name = 'mallory' WHERE kind = 'session.start'"
start_auth
expect_failure 3 "event [0-9]+ is not what was signed" cairn audit verify
stop auth
cp "$tmp/good.db" "$db"; rm -f "$db-wal" "$db-shm"
sqlite3 "$db" "DELETE FROM audit_events WHERE kind = 'session.start'"
start_auth
expect_failure 3 "event [0-9]+ is missing" cairn audit verify
stop auth
cp "$tmp/good.db" "$db"; rm -f "$db-wal" "$db-shm"
sqlite3 "$db" "DELETE FROM audit_tree; UPDATE audit_events SET leaf = 0; UPDATE audit_events SET user_name = 'mallory' WHERE kind = 'session.start'"
start_auth
expect_failure 1 "is not the one of .* that was signed before" cairn audit verify
grep -q audit.altered "$tmp/auth.log" || die "auth's own log is silent"

say "auth itself is not believed against what this home has seen"
rm "$tmp/auth/audit.head"
expect_failure 3 "does not continue" cairn audit verify
