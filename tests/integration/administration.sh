# Tokens, users, roles, nodes, the audit log: as root on the auth host and as a person with a role.
source "$(dirname "$0")/lib.sh"
make_cluster
say "tokens: created, listed without their secret, revoked"
secret=$(new_token node --name=rack-7 --ttl=10m)
admin tokens ls | grep -q rack-7 || die "not listed"
! admin tokens ls --format=json | grep -q "$secret" || die "the list shows the secret"
! grep -aq "$secret" "$tmp"/auth/*.db* || die "the secret is stored"
admin tokens rm rack-7
! admin tokens ls | grep -q rack-7 || die "still listed"
say "people without the verb may not"
expect_failure 4 'may not|role' cairn tokens add --type=node
expect_failure 4 'may not|role' cairn users ls
say "a password changed by its owner"
printf 'correct horse alice\nanother horse alice\n' | cairn users passwd --password-stdin
printf 'another horse alice\n' >"$tmp/alice.password"
cairn logout
expect_failure 4 'log' cairn ls
log_in alice
say "nodes"
cairn ls | grep -q "$node_name"
cairn nodes ls --format=json | jq -e '.[0] | .name == "web-1" and .online and .labels.env == "test" and .capture_tier != ""' >/dev/null || die "$(cairn nodes ls --format=json)"
say "the audit log tells it all, in pages"
node_ssh "$node_host" true
finished_session
for kind in token.create node.join user.login session.start session.end; do
  admin audit search --kind="$kind" --format=json | jq -e 'length > 0' >/dev/null || die "no $kind in the audit log"
done
admin audit search --kind=session. --user=alice --session="$session" --format=json | jq -e 'length >= 2' >/dev/null || die "search by session"
all=$(admin audit search --all --limit=1000 --format=json | jq length)
[[ $(admin audit search --all --limit=2 --format=json | jq length) -eq $all ]] || die "pages of 2 give another sum than $all"
say "a removed user and a removed node are out at once"
admin users rm alice
expect_failure 4 '' cairn ls
admin nodes rm "$node_name"
[[ $(admin nodes ls --format=json | jq length) -eq 0 ]] || die "still there"
