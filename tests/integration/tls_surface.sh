# What a stranger's TLS client finds at the public port, and at auth's: TLS 1.3 alone, a protocol of ours or nothing, no tickets to resume by, and not a byte of
# an inner protocol for who has no certificate. The client is OpenSSL's.
source "$(dirname "$0")/lib.sh"
start_auth
start_proxy

# What s_client says, having sent four zeros (an empty frame), within three seconds.
probe() { { printf '\0\0\0\0'; sleep 1; } | timeout 3 openssl s_client -connect "$1" -ign_eof "${@:2}" >"$tmp/probe" 2>&1 || true; }
is_shaken() { grep -q 'Cipher is TLS_' "$tmp/probe"; }
says() { grep -qiE -- "$1" "$tmp/probe" || die "expected \"$1\": $(cat "$tmp/probe")"; }

for address in "$proxy_address" "$auth_address"; do
  say "$address: no TLS below 1.3"
  for version in -tls1 -tls1_1 -tls1_2; do
    probe "$address" "$version" -cipher 'ALL:@SECLEVEL=0' -alpn cairn-enroll/1
    ! is_shaken || die "$version: $(cat "$tmp/probe")"
  done
  probe "$address" -tls1_3 -alpn cairn-enroll/1
  is_shaken || die "1.3: $(cat "$tmp/probe")"

  say "$address: no session tickets"
  ! grep -q 'New Session Ticket' "$tmp/probe" || die "$(cat "$tmp/probe")"

  say "$address: a protocol of ours, or nothing"
  probe "$address" -tls1_3
  ! is_shaken || die "without ALPN"
  says 'no application protocol'
  probe "$address" -tls1_3 -alpn h2,spdy/3
  ! is_shaken || die "foreign ALPN"
  says 'no application protocol'
done

say "no certificate, no byte of an inner protocol"
for protocol in cairn-tunnel/1 cairn-dial/1 cairn-ssh/1 cairn-auth/1; do
  probe "$proxy_address" -tls1_3 -alpn "$protocol" -quiet
  says 'certificate required'
  # -quiet prints application data alone, beside errors and what it says of certificates.
  [[ $(grep -avcE '^(depth|verify|Can.t use|Connecting|[0-9A-F]+:error|notAfter|read:errno|$)' "$tmp/probe") -eq 0 ]] || die "$protocol: $(cat -v "$tmp/probe")"
done

say "a certificate that signed itself, with the right names in it"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$tmp/key.pem" -out "$tmp/certificate.pem" -days 1 -subj /CN=web-1 \
  -addext "subjectAltName=URI:cairn://$cluster/node/0e6f2c5e-8a52-4a6b-9d0e-111111111111,DNS:web-1" 2>/dev/null
probe "$proxy_address" -tls1_3 -alpn cairn-tunnel/1 -cert "$tmp/certificate.pem" -key "$tmp/key.pem"
says 'unknown ca|alert'
