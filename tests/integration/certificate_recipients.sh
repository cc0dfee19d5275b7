# Whoever holds a certificate's key reads recordings, with our own player and with openssl alone; where there are such recipients only, there is
# nothing of age in it.
source "$(dirname "$0")/lib.sh"
command -v zstd age-keygen >/dev/null || skip "needs zstd and age"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$tmp/p256.key" 2>/dev/null
openssl req -x509 -new -key "$tmp/p256.key" -subj /CN=auditor -days 1 -out "$tmp/p256.pem"
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$tmp/rsa.key" 2>/dev/null
openssl pkey -in "$tmp/rsa.key" -pubout -out "$tmp/rsa.pem"
age-keygen -o "$tmp/age.key" 2>/dev/null
nobody() { CAIRN_HOME=$tmp/nobody "$bin/cairn" "$@"; }
by_player() { nobody play "$1" --identity "$2" --speed=max >"$tmp/out" 2>&1 && grep -q "the $3 secret" "$tmp/out"; }
by_openssl() {
  "$source_root/cli/evidence/verify_recording.py" "$1" "$tmp/cluster.pem" "$2" >"$tmp/terminal" 2>"$tmp/err" || die "$(cat "$tmp/err")"
  grep -qa "the $3 secret" "$tmp/terminal" || die "openssl and zstd do not show the terminal of $1"
}
restart_auth() {
  stop auth
  start_auth --recording-recipients "$1"
  wait_for 60 "the node to be back" node_ssh "$node_host" true
}
auth_options=(--recording-recipients "$tmp/p256.pem")
make_cluster
cairn recordings trust >"$tmp/cluster.pem"

say "for a certificate alone: no age, and nobody else reads it, auth included"
node_ssh "$node_host" 'head -c 300000 /dev/urandom | base64; echo the first secret; sleep 1.2' >/dev/null
finished_session
cairn recordings download "$session" -o "$tmp/first.rec"
! grep -qa age-encryption "$tmp/first.rec" || die "there is an age file in it"
! grep -qa "the first secret" "$tmp/first.rec" || die "it lies open"
expect_failure 4 "encrypted" cairn play "$session" --speed=max
expect_failure 4 "does not open" env CAIRN_HOME="$tmp/nobody" "$bin/cairn" play "$tmp/first.rec" --identity "$tmp/rsa.key" --speed=max
by_player "$tmp/first.rec" "$tmp/p256.key" first || die "the holder of the certificate sees nothing: $(cat "$tmp/out")"
cairn play "$session" --identity "$tmp/p256.key" --speed=max >"$tmp/out"
grep -q "the first secret" "$tmp/out" || die "nor at auth"
by_openssl "$tmp/first.rec" "$tmp/p256.key" first
cairn recordings verify "$session" --format=json >"$tmp/out"
jq -e '.integrity.verdict == "intact"' "$tmp/out" >/dev/null || die "it does not verify"

say "beside the cluster's key and an auditor's of age, each reads the same"
restart_auth "cluster,$(age-keygen -y "$tmp/age.key"),$tmp/p256.pem"
node_ssh "$node_host" 'echo the second secret' >/dev/null
finished_session
second=$session
cairn recordings download "$second" -o "$tmp/second.rec"
cairn play "$second" --speed=max >"$tmp/out"
grep -q "the second secret" "$tmp/out" || die "auth does not read it"
for key in p256 age; do
  by_player "$tmp/second.rec" "$tmp/$key.key" second || die "$key: $(cat "$tmp/out")"
  by_openssl "$tmp/second.rec" "$tmp/$key.key" second
done

say "it is given to an RSA key that came later, without being rewritten"
restart_auth "cluster,$tmp/rsa.pem"
admin keys rotate
admin keys rewrap
mv "$tmp/second.rec" "$tmp/before.rec"
cairn recordings download "$second" -o "$tmp/second.rec"
cmp "$tmp/before.rec" "$tmp/second.rec" || die "the recording was rewritten"
(umask 077 && openssl cms -decrypt -inform DER -in "$tmp/second.rec.keys" -inkey "$tmp/rsa.key" -out "$tmp/opened")
[[ $(stat -c %s "$tmp/opened") -eq 32 ]] || die "openssl does not open it"
by_player "$tmp/second.rec" "$tmp/opened" second || die "what hardware has opened is not taken: $(cat "$tmp/out")"
! nobody play "$tmp/first.rec" --identity "$tmp/opened" --speed=max >"$tmp/out" 2>&1 || die "it opens another recording, too"
! grep -qa "the first secret" "$tmp/out" || die "it shows another recording"
by_player "$tmp/second.rec" "$tmp/rsa.key" second || die "its holder sees nothing: $(cat "$tmp/out")"
by_openssl "$tmp/second.rec" "$tmp/rsa.key" second
