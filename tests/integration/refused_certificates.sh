# Certificates that a node refuses: expired, from the future, of a foreign authority, for another principal, of another kind, with an unknown
# critical option, from another address. Each refusal says why in the agent's log and in the audit log, and nobody gets in.
source "$(dirname "$0")/lib.sh"
make_cluster
ssh-keygen -q -t ed25519 -N '' -f "$tmp/foreign_ca"
ssh-keygen -q -t ed25519 -N '' -f "$tmp/key"
ca=$tmp/auth/ca/ssh_user_ca
[[ -r $ca ]] || die "no key file of the SSH user authority at $ca"
refused() {
  local what=$1 why=$2
  shift 2
  cp "$tmp/key" "$tmp/refused"; cp "$tmp/key.pub" "$tmp/refused.pub"
  ssh-keygen -q -s "$@" "$tmp/refused.pub"
  say "$what"
  ! ssh -F "$tmp/ssh_config" -o BatchMode=yes -o IdentityFile="$tmp/refused" -o CertificateFile="$tmp/refused-cert.pub" -l "$login" \
    -F <(grep -vE 'IdentityFile|CertificateFile' "$tmp/ssh_config") "$node_host" true 2>"$tmp/err" || die "$what: it was let in"
  wait_for 10 "the agent to say: $why" grep -qiE "$why" "$tmp/agent.log"
}
refused "expired" "expired" "$ca" -I alice -n "$login" -V -2h:-1h
refused "from the future" "not yet valid|not valid (before|until)" "$ca" -I alice -n "$login" -V +1h:+2h
refused "foreign authority" "authority|CA" "$tmp/foreign_ca" -I alice -n "$login" -V -1h:+1h
refused "another principal" "principal" "$ca" -I alice -n somebody -V -1h:+1h
refused "a host certificate" "host certificate|not a user" "$ca" -h -I alice -n "$login" -V -1h:+1h
refused "unknown critical option" "critical option" "$ca" -I alice -n "$login" -O critical:frobnicate=1 -V -1h:+1h
refused "another source address" "source-address|source address" "$ca" -I alice -n "$login" -O source-address=192.0.2.0/24 -V -1h:+1h
say "a plain key without a certificate"
! ssh -F <(grep -vE 'IdentityFile|CertificateFile' "$tmp/ssh_config") -o BatchMode=yes -o IdentityFile="$tmp/key" -l "$login" "$node_host" true 2>/dev/null || die "let in"
say "a login that the role does not give"
! node_ssh -l nobody "$node_host" true 2>"$tmp/err" || die "let in as nobody"
[[ $(cairn sessions ls --format=json | jq length) -eq 0 ]] || die "a refused connection left a session"
say "with a certificate of one's own all is well"
node_ssh "$node_host" true
