# kill -9 of auth and of the proxy during an upload: after the restart the recording at auth is byte-identical to the spool.
source "$(dirname "$0")/lib.sh"
make_cluster

node_ssh "$node_host" 'for i in $(seq 400); do /bin/echo "line $i of some output that is worth recording"; head -c 3000 /dev/urandom | base64; done; echo $CAIRN_SESSION_ID' >"$tmp/out" &
client=$!
spool_file() { ls "$tmp"/agent/spool/*.rec 2>/dev/null; }
wait_for 30 "the spool file" spool_file
# A second name keeps the spool's bytes when the agent forgets them.
spool=$(spool_file | head -n 1)
ln "$spool" "$tmp/spool-copy"
at_auth=$tmp/auth/recordings/$(basename "$spool")
wait_for 30 "the first chunks at auth" test -s "$at_auth"
crash auth
start_auth
before=$(stat -c %s "$at_auth")
grown() { [[ $(stat -c %s "$at_auth") -gt $before ]]; }
wait_for 60 "the upload to go on after auth's crash" grown
crash proxy   # breaks the session too: its bytes pass through there
wait $client 2>/dev/null || true
start_proxy
log_in alice >/dev/null
finished_session
cmp "$at_auth" "$tmp/spool-copy" || die "the recording at auth differs from the spool"
wait_for 30 "the spool to be empty" bash -c "! ls $tmp/agent/spool/*.rec"
cairn recordings verify "$session"
