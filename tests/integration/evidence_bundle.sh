# An evidence archive is verified by whoever has nothing but it and standard tools, by the commands of its own README.
source "$(dirname "$0")/lib.sh"
command -v age-keygen zstd >/dev/null || skip "needs age and zstd"
age-keygen -o "$tmp/auditor.key" 2>/dev/null
auth_options=(--recording-recipients "cluster,$(age-keygen -y "$tmp/auditor.key")")
make_cluster
node_ssh "$node_host" 'echo the evidence; head -c 300000 /dev/urandom | base64' >/dev/null
finished_session

say "it holds the recording, proofs, keys, audit events and how to verify"
cairn recordings bundle "$session" -o "$tmp/evidence.tar"
mkdir "$tmp/court"
tar -xf "$tmp/evidence.tar" -C "$tmp/court"
cd "$tmp/court/$session"
for file in README.md recording.rec cluster.pem revoked.pem session.pem auth.pem checkpoint.note seal.note verify_recording.py audit/events.jsonl audit/paths.jsonl audit/head.note audit/signer.pem; do
  [[ -s $file ]] || die "no $file in the bundle"
done
grep -q "alice as $login on $node_name" README.md || die "the README does not say whose it is"
jq -se '[.[].kind] | index("session.start") != null and index("session.end") != null and index("recording.read") != null' audit/events.jsonl >/dev/null ||
  die "audit events are missing: $(jq -r .kind audit/events.jsonl)"

# The README's own commands, with the standard tools alone.
by_the_readme() { awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' README.md | env -i PATH=/usr/bin:/bin bash -euo pipefail >"$tmp/by-hand" 2>&1; }

say "the README's commands verify it"
by_the_readme || die "the README's commands fail: $(cat "$tmp/by-hand")"
for sentence in "session.pem: OK" "auth.pem: OK" "Signature Verified Successfully" "$cluster/recordings/$session" "^intact" "audit events are in the log"; do
  grep -q "$sentence" "$tmp/by-hand" || die "they do not say \"$sentence\": $(cat "$tmp/by-hand")"
done
python3 verify_recording.py recording.rec cluster.pem "$tmp/auditor.key" >"$tmp/terminal" 2>"$tmp/err" || die "$(cat "$tmp/err")"
grep -qa "the evidence" "$tmp/terminal" || die "an auditor cannot read it"

say "they notice whatever is changed"
for file in recording.rec session.pem auth.pem seal.note audit/events.jsonl audit/paths.jsonl audit/head.note; do
  cp "$file" "$tmp/good"
  python3 - "$file" <<'PYTHON'
import pathlib, sys
file = pathlib.Path(sys.argv[1])
data = bytearray(file.read_bytes())
at = 3 if file.suffix == ".note" else len(data) // 2  # of a note what is signed, not who says so
data[at] ^= 1 if data[at] not in b"\n\x0b" else 2
file.write_bytes(data)
PYTHON
  ! by_the_readme || die "$file was changed and nobody noticed: $(cat "$tmp/by-hand")"
  cp "$tmp/good" "$file"
done
by_the_readme || die "the test has left it changed"
cd /

say "made again it is the same, but for who has read it meanwhile and what is revoked by now"
cairn recordings bundle "$session" -o "$tmp/again.tar"
mkdir "$tmp/again"
tar -xf "$tmp/again.tar" -C "$tmp/again"
diff -r --exclude=audit --exclude=revoked.pem "$tmp/court/$session" "$tmp/again/$session" || die "two bundles differ"
diff <(tar -tvf "$tmp/evidence.tar" | grep -vE 'audit/|revoked.pem') <(tar -tvf "$tmp/again.tar" | grep -vE 'audit/|revoked.pem') || die "their listings differ"
expect_failure 1 "exists" cairn recordings bundle "$session" -o "$tmp/again.tar"

say "what is no evidence is bundled and said to be none"
cp "$tmp/court/$session/recording.rec" "$tmp/altered.rec"
python3 -c 'import sys; f = open(sys.argv[1], "r+b"); f.seek(-700, 2); b = f.read(1); f.seek(-700, 2); f.write(bytes([b[0] ^ 1]))' "$tmp/altered.rec"
expect_failure 3 "no evidence" cairn recordings bundle "$tmp/altered.rec" -o "$tmp/altered.tar"

say "who may not read the audit log gets the rest"
admin roles add readers --logins="$login" --node-labels='*=*' --verbs=recordings >/dev/null
make_user bob readers >/dev/null
log_in bob "$tmp/bob" >/dev/null
CAIRN_HOME=$tmp/bob "$bin/cairn" recordings bundle "$session" -o "$tmp/bob.tar" 2>"$tmp/err"
grep -q "audit events are not in the bundle" "$tmp/err" || die "it does not say what is missing: $(cat "$tmp/err")"
! tar -tf "$tmp/bob.tar" | grep -q audit/ || die "audit events for somebody who may not read them"
