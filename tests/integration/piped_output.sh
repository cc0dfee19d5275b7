# Of output that goes to no terminal the recording keeps what the role says, and says what it does not keep; the person gets all of it.
source "$(dirname "$0")/lib.sh"
role_options=()
make_cluster
kept() { jq -s '[.[].end.output_bytes // "0" | tonumber] | add' "$tmp/events"; }
not_kept() { jq -s "[.[].output_not_kept | select(.stream == \"STREAM_$1\") | .bytes // \"0\" | tonumber] | add" "$tmp/events"; }

say "unless told otherwise: a megabyte of each stream"
[[ $(node_ssh "$node_host" 'head -c 3000000 /dev/urandom; head -c 2000000 /dev/zero >&2' 2>"$tmp/errors" | wc -c) -eq 3000000 ]] || die "output was lost"
[[ $(wc -c <"$tmp/errors") -eq 2000000 ]] || die "errors were lost"
finished_session
events "$session"
[[ $(kept) -eq $((2 << 20)) ]] || die "kept $(kept)"
[[ $(not_kept STDOUT) -eq $((3000000 - (1 << 20))) && $(not_kept STDERR) -eq $((2000000 - (1 << 20))) ]] || die "not kept: $(not_kept STDOUT) and $(not_kept STDERR)"
cairn play "$session" --speed=max </dev/null >"$tmp/played"
grep -aq 'standard output of channel 0: not kept from here on' "$tmp/played" || die "play does not say so"
cairn recordings verify "$session" >/dev/null || die "it does not verify"

say "little output is kept whole, and nothing is said"
node_ssh "$node_host" 'seq 1000' >"$tmp/seq"
finished_session
events "$session"
has_no_event '.output_not_kept'
[[ $(kept) -eq $(stat -c %s "$tmp/seq") ]] || die "kept $(kept)"

say "a terminal is recorded whole"
node_ssh -tt "$node_host" 'yes | head -n 700000' </dev/null >"$tmp/seen"
finished_session
events "$session"
has_no_event '.output_not_kept'
[[ $(kept) -eq $(stat -c %s "$tmp/seen") ]] || die "kept $(kept) of $(stat -c %s "$tmp/seen")"

say "a client that leaves in the middle: how much had gone is on record"
node_ssh "$node_host" 'cat /dev/zero' 2>/dev/null | head -c 5000000 >/dev/null || true
finished_session
events "$session"
(($(not_kept STDOUT) > 3000000)) || die "not kept: $(not_kept STDOUT)"

say "a role that keeps all, and one that keeps none"
admin roles add ops --logins="$login" --node-labels='*=*' --verbs=audit,recordings --piped-output=all >/dev/null
node_ssh "$node_host" 'head -c 3000000 /dev/zero' >/dev/null
finished_session
events "$session"
[[ $(kept) -eq 3000000 ]] || die "kept $(kept)"
admin roles add ops --logins="$login" --node-labels='*=*' --verbs=audit,recordings --piped-output=0 >/dev/null
[[ $(node_ssh "$node_host" 'echo hello') == hello ]] || die "no output"
finished_session
events "$session"
[[ $(kept) -eq 0 && $(not_kept STDOUT) -eq 6 ]] || die "kept $(kept), not kept $(not_kept STDOUT)"
expect_failure 2 "is no size" admin roles add ops --piped-output=1X
