# A timestamp authority that has nothing to do with the cluster says when it had seen a recording's seal; one that is away is asked again.
source "$(dirname "$0")/lib.sh"
command -v openssl >/dev/null || skip "needs openssl"
mkdir "$tmp/tsa"
cat >"$tmp/tsa/tsa.cnf" <<END
[req]
distinguished_name = dn
x509_extensions = ext
prompt = no
[dn]
CN = a timestamp authority
[ext]
extendedKeyUsage = critical,timeStamping
[tsa]
default_tsa = tsa1
[tsa1]
serial = $tmp/tsa/serial
crypto_device = builtin
signer_cert = $tmp/tsa/tsa.pem
signer_key = $tmp/tsa/tsa.key
default_policy = 1.2.3.4
digests = sha256
signer_digest = sha256
ess_cert_id_alg = sha256
END
echo 01 >"$tmp/tsa/serial"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -config "$tmp/tsa/tsa.cnf" -keyout "$tmp/tsa/tsa.key" -out "$tmp/tsa/tsa.pem" 2>/dev/null
# In the place of curl: a real authority, without a network between.
cat >"$tmp/tsa/ask" <<END
#!/bin/sh
[ ! -e $tmp/tsa/away ] || { echo "the authority is away" >&2; exit 7; }
cat >$tmp/tsa/query && exec openssl ts -reply -config $tmp/tsa/tsa.cnf -queryfile $tmp/tsa/query 2>/dev/null
END
chmod +x "$tmp/tsa/ask"
auth_options=(--timestamp-command "$tmp/tsa/ask")
make_cluster

is_stamped() { [[ $(cairn recordings verify "$session" --format=json | jq -r .integrity.timestamp_wall_s) != null ]]; }
node_ssh "$node_host" true
finished_session
wait_for 20 "a timestamp" is_stamped
cairn recordings verify "$session" --timestamp-authorities "$tmp/tsa/tsa.pem" >"$tmp/verdict"
grep -q "timestamp .*signed by an authority that is trusted" "$tmp/verdict" || die "not checked: $(cat "$tmp/verdict")"
cairn recordings verify "$session" | grep -q "signature was not checked" || die "it does not say that it was not checked"

say "another authority is not believed"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -config "$tmp/tsa/tsa.cnf" -keyout "$tmp/other.key" -out "$tmp/other.pem" 2>/dev/null
expect_failure 3 "no timestamp authority that is trusted" cairn recordings verify "$session" --timestamp-authorities "$tmp/other.pem"

say "openssl alone agrees"
cairn recordings bundle "$session" -o "$tmp/bundle.tar" >/dev/null
tar -C "$tmp" -xf "$tmp/bundle.tar"
openssl ts -verify -in "$tmp/$session/timestamp.tsr" -data "$tmp/$session/seal.note" -CAfile "$tmp/tsa/tsa.pem" >/dev/null 2>&1 || die "openssl does not verify the timestamp"

say "an authority that is away is said, and asked again"
touch "$tmp/tsa/away"
node_ssh "$node_host" true
finished_session
wait_for 20 "the log to say so" grep -q "recording.untimestamped.*the authority is away" "$tmp/auth.log"
rm "$tmp/tsa/away"
stop auth
start_auth "${auth_options[@]}"
wait_for 30 "the timestamp after all" is_stamped
