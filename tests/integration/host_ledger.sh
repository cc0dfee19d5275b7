# What a session hands to a daemon is executed outside of it: it stands in the host's ledger, and is shown with the session.
source "$(dirname "$0")/lib.sh"
make_cluster

# A daemon of the name of one that takes work: it executes what lies in its spool, as atd does.
chmod 0755 "$tmp"
mkdir -m 0777 "$tmp/spool"
cat >"$tmp/atd.py" <<'DAEMON'
import ctypes, os, subprocess, sys, time
ctypes.CDLL(None).prctl(15, b"atd", 0, 0, 0)  # PR_SET_NAME: what a daemon has by its file's name
while True:
    for name in os.listdir(sys.argv[1]):
        if name.startswith("job"):
            path = os.path.join(sys.argv[1], name)
            os.rename(path, path.replace("job", "done"))
            subprocess.run(["/bin/sh", path.replace("job", "done")])
    time.sleep(0.05)
DAEMON
python3 "$tmp/atd.py" "$tmp/spool" &
daemon=$!
wait_for 10 "the daemon's name" grep -qx atd "/proc/$daemon/comm"

say "a session writes a job into the daemon's spool"
node_ssh "$node_host" "echo 'exec /bin/echo handed-over' > $tmp/spool/new; mv $tmp/spool/new $tmp/spool/job-1; sleep 1"
kill $daemon
finished_session

say "the session's recording has the write, and not the execution"
events "$session"
has_event ".open.file.path == \"$tmp/spool/new\" and .open.created == true"
has_no_event '(.exec.argv // []) | any(test("spool/done-1"))'

say "the ledger has the execution"
in_ledger() { cairn audit search --kind=host.exec --format=json | jq -e ".[] | select(.message | test(\"/bin/sh .*spool/done-1\")) | .fields.executable and .fields.parent_pid == \"$daemon\""; }
wait_for 20 "the ledger's entry" in_ledger

say "both together"
cairn play "$session" --with-host --events=only --speed=max >"$tmp/both" 2>/dev/null
grep -q 'host .*/bin/sh .*spool/done-1' "$tmp/both" || die "not among: $(grep host "$tmp/both")"

say "a session is in no ledger"
! cairn audit search --kind=host.exec --format=json | jq -e '.[] | select(.message | test("mv .*spool/new"))' || die "the session's own executions are in the ledger"
