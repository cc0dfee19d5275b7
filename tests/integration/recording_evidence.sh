# A recording is evidence: who signed it and what was done to it is told from public keys alone, by us and by others' programs.
source "$(dirname "$0")/lib.sh"
command -v age-keygen zstd >/dev/null || skip "needs age and zstd"
age-keygen -o "$tmp/auditor.key" 2>/dev/null
auditor=$(age-keygen -y "$tmp/auditor.key")
auth_options=(--recording-recipients "cluster,$auditor")
make_cluster

say "two sessions, one of them long enough for several chunks"
node_ssh "$node_host" 'echo one session' >/dev/null
finished_session
other=$session
node_ssh "$node_host" 'head -c 2500000 /dev/urandom | base64; echo the secret; sleep 1.2' >/dev/null
finished_session
cairn recordings download "$session" -o "$tmp/whole.rec"
cairn recordings download "$other" -o "$tmp/other.rec"
cairn recordings trust >"$tmp/cluster.pem"
openssl verify -CAfile "$tmp/cluster.pem" "$tmp/cluster.pem" >/dev/null || die "the trust file's first certificate is no authority"
openssl crl -in "$tmp/cluster.pem" -noout || die "the trust file has no list of revocations"

say "it verifies with public keys, with and without auth, and by a reader that has none of our code"
cairn recordings verify "$session" "$other"
cp "$tmp/cluster.pem" "$tmp/ca.pem"
CAIRN_HOME=$tmp/nobody "$bin/cairn" recordings verify "$tmp/whole.rec" --trust "$tmp/cluster.pem" --format=json >"$tmp/verdict.json"
jq -e '.integrity.verdict == "intact" and .locked and .integrity.chunks_signed_by_session == .integrity.chunks' "$tmp/verdict.json" >/dev/null ||
  die "offline: $(cat "$tmp/verdict.json")"
"$source_root/cli/evidence/verify_recording.py" "$tmp/whole.rec" "$tmp/ca.pem" "$tmp/auditor.key" >"$tmp/terminal"
grep -q "the secret" "$tmp/terminal" || die "age and zstd do not show the terminal"
! grep -qa "the secret" "$tmp/auth/recordings/$session.rec" || die "the archive can be read by whoever has the disk"

say "an auditor plays the file with the own key, nobody without one"
CAIRN_HOME=$tmp/nobody "$bin/cairn" play "$tmp/whole.rec" --identity "$tmp/auditor.key" --speed=max >"$tmp/out"
grep -q "the secret" "$tmp/out" || die "the auditor sees nothing"
CAIRN_HOME=$tmp/nobody expect_failure 4 "encrypted" "$bin/cairn" play "$tmp/whole.rec" --speed=max

say "each way of tampering is told apart, with the first bad chunk"
python3 - "$tmp" <<'PYTHON'
import pathlib, struct, sys
folder = pathlib.Path(sys.argv[1])
def chunks(name):
    data, at, found = (folder / name).read_bytes(), 0, []
    while at < len(data):
        size = 168 + struct.unpack_from("<I", data, at + 84)[0] + struct.unpack_from("<I", data, at + 88)[0]
        found.append(data[at:at + size])
        at += size
    return found
def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff
whole, other = chunks("whole.rec"), chunks("other.rec")
assert len(whole) >= 6, len(whole)
def write(name, parts):
    (folder / f"{name}.rec").write_bytes(b"".join(parts))
write("truncated", whole[:3] + whole[-1:])
write("removed", whole[:2] + whole[3:])
write("reordered", whole[:2] + [whole[3], whole[2]] + whole[4:])
write("spliced", whole[:2] + [other[1]] + whole[3:])
damaged = bytearray(whole[2]); damaged[300] ^= 1
write("altered", whole[:2] + [bytes(damaged)] + whole[3:])
# Somebody who knows the format puts the checksum right.
meta = struct.unpack_from("<I", damaged, 84)[0]
struct.pack_into("<I", damaged, 160, crc32c(bytes(damaged[168:])))
struct.pack_into("<I", damaged, 164, crc32c(bytes(damaged[:164])))
write("altered-well", whole[:2] + [bytes(damaged)] + whole[3:])
write("forged", whole[:-1] + other[-1:])
PYTHON
for each in truncated:3 removed:2 reordered:2 spliced:2 altered:2 altered-well:2 forged:null; do
  name=${each%:*} chunk=${each#*:}
  status=0
  CAIRN_HOME=$tmp/nobody "$bin/cairn" recordings verify "$tmp/$name.rec" --trust "$tmp/cluster.pem" --format=json >"$tmp/verdict.json" 2>"$tmp/err" || status=$?
  [[ $status -eq 3 ]] || die "$name: exit status $status; $(cat "$tmp/err")"
  jq -e --arg verdict "${name%-well}" --argjson chunk "$chunk" '.integrity.verdict == $verdict and .integrity.bad_chunk == $chunk' "$tmp/verdict.json" >/dev/null ||
    die "$name: $(jq -c .integrity "$tmp/verdict.json")"
done

say "a node that fell into wrong hands is not believed any more"
stop agent
admin nodes rm "$node_name" --compromised-since=1h
admin recordings trust >"$tmp/later.pem"
expect_failure 3 "revoked" env CAIRN_HOME="$tmp/nobody" "$bin/cairn" recordings verify "$tmp/whole.rec" --trust "$tmp/later.pem"
