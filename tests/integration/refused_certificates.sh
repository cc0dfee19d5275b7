# Certificates that a node refuses: expired, from the future, of a foreign authority, for another principal, with an unknown
# critical option, from another address. Each refusal says why in the agent's log and in the audit log, and nobody gets in.
source "$(dirname "$0")/lib.sh"
make_cluster
ssh-keygen -q -t ed25519 -N '' -f "$tmp/foreign_ca"
ssh-keygen -q -t ed25519 -N '' -f "$tmp/key"
ca=$tmp/auth/ca/ssh_user_ca
[[ -r $ca ]] || die "no key file of the SSH user authority at $ca"
grep -vE 'IdentityFile|CertificateFile' "$tmp/ssh_config" >"$tmp/no_identity"
# ssh with key $1 and whatever else; must be refused by the node, not by its own configuration.
turned_away() {
  local status=0
  ssh -F "$tmp/no_identity" -o BatchMode=yes -o IdentitiesOnly=yes -i "$1" -l "$login" "${@:2}" "$node_host" true 2>"$tmp/err" || status=$?
  [[ $status -eq 255 ]] && grep -q 'Permission denied' "$tmp/err" || die "status $status: $(cat "$tmp/err")"
}
refused() {
  local what=$1 why=$2 seen
  shift 2
  seen=$(wc -l <"$tmp/agent.log")
  ssh-keygen -q -s "$@" "$tmp/key.pub"
  say "$what"
  turned_away "$tmp/key" -o CertificateFile="$tmp/key-cert.pub"
  wait_for 10 "the agent to say: $why" bash -c "tail -n +$((seen + 1)) '$tmp/agent.log' | grep -qiE '$why'"
}
refused "expired" "expired" "$ca" -I alice -n "$login" -V -2h:-1h
refused "from the future" "not yet valid|not valid (before|until)" "$ca" -I alice -n "$login" -V +1h:+2h
refused "foreign authority" "authority|CA" "$tmp/foreign_ca" -I alice -n "$login" -V -1h:+1h
refused "another principal" "principal" "$ca" -I alice -n somebody -V -1h:+1h
refused "unknown critical option" "critical option" "$ca" -I alice -n "$login" -O critical:frobnicate=1 -V -1h:+1h
refused "another source address" "source-address|source address" "$ca" -I alice -n "$login" -O source-address=192.0.2.0/24 -V -1h:+1h
say "a plain key without a certificate"
rm "$tmp/key-cert.pub"
turned_away "$tmp/key"
say "a login that the role does not give"
! ssh -F "$tmp/ssh_config" -l nobody -o BatchMode=yes "$node_host" true 2>"$tmp/err" || die "let in as nobody"
say "each refusal is in the audit log"
denied() { [[ $(cairn audit search --kind=session.denied --format=json | jq length) -ge $1 ]]; }
wait_for 20 "eight entries in the audit log" denied 8
[[ $(cairn sessions ls --format=json | jq length) -eq 0 ]] || die "a refused connection left a session"
say "with a certificate of one's own all is well"
node_ssh "$node_host" true
