# Stock OpenSSH against a node that listens on no port: ssh, ssh host command, ssh -t, scp, sftp, rsync.
source "$(dirname "$0")/lib.sh"
make_cluster
home=$(getent passwd "$login" | cut -d: -f6)
work=$(mktemp -d "$tmp/work.XXXX")
remote=$home/it.$$
as_user="-F $tmp/ssh_config -o BatchMode=yes -o User=$login"

say "the agent listens on no port"
! ss -Hltnp | grep -q "pid=${daemon_pid[agent]}," || die "the agent listens: $(ss -Hltnp | grep "pid=${daemon_pid[agent]},")"

say "a command: stdout, stderr apart, stdin to EOF, exit status"
out=$(printf 'one\ntwo\n' | node_ssh "$node_host" 'wc -l; echo oops >&2; exit 7' 2>"$tmp/stderr") && die "exit 7 was lost" || status=$?
[[ $status -eq 7 && $out == 2 && $(cat "$tmp/stderr") == oops ]] || die "status $status, stdout $out, stderr $(cat "$tmp/stderr")"

say "who one is: login, home, shell, environment"
[[ $(node_ssh "$node_host" 'id -un; pwd; echo $HOME $USER $SHELL' | xargs) == "$login $home $home $login /bin/bash" ]] || die "$(node_ssh "$node_host" 'id; pwd; env')"
[[ $(LC_CAIRN=yes SECRET=no node_ssh -o SendEnv='LC_CAIRN SECRET' "$node_host" 'echo $LC_CAIRN-$SECRET') == yes- ]] || die "environment"
[[ $(node_ssh "$node_host" 'ls /proc/self/fd | wc -l') -eq 4 ]] || die "descriptors leaked: $(node_ssh "$node_host" 'ls -l /proc/self/fd')"

say "a PTY: its size, its name, its terminal type, the exit status"
TERM=xterm-256color node_ssh -tt "$node_host" 'tty; stty size; echo $TERM; exit 3' >"$tmp/tty" </dev/null && die "exit 3 was lost" || status=$?
[[ $status -eq 3 ]] && grep -q '^/dev/pts/' "$tmp/tty" && grep -q xterm-256color "$tmp/tty" || die "status $status: $(cat "$tmp/tty")"

say "an interactive login shell, typed into"
printf 'echo shell-$((40+2))\nexit 5\n' | node_ssh -tt "$node_host" >"$tmp/shell" && die "exit 5 was lost" || status=$?
[[ $status -eq 5 ]] && grep -q 'shell-42' "$tmp/shell" || die "status $status: $(cat "$tmp/shell")"

say "a signal ends the command: stock ssh says 255"
node_ssh "$node_host" 'kill -TERM $$' 2>/dev/null && die "no error" || status=$?
[[ $status -eq 255 ]] || die "status $status"
node_ssh -v "$node_host" 'kill -TERM $$' 2>"$tmp/stderr" || true
grep -q 'rtype exit-signal' "$tmp/stderr" || die "the client was told no exit-signal: $(cat "$tmp/stderr")"

say "a megabyte each way, unharmed"
head -c 5000000 /dev/urandom >"$work/random"
node_ssh "$node_host" 'cat' <"$work/random" | cmp - "$work/random" || die "bytes were harmed"

say "scp, both protocols, both ways"
for protocol in "" -O; do
  scp -q $protocol $as_user "$work/random" "$node_host:$remote"
  scp -q $protocol $as_user "$node_host:$remote" "$work/back"
  cmp "$work/random" "$work/back" || die "scp $protocol"
done

say "sftp, with a batch"
printf 'put %s %s.sftp\nget %s.sftp %s\nrm %s.sftp\n' "$work/random" "$remote" "$remote" "$work/sftp-back" "$remote" >"$work/batch"
sftp -q $as_user -b "$work/batch" "$node_host" >/dev/null
cmp "$work/random" "$work/sftp-back" || die "sftp"

say "rsync, both ways"
mkdir -p "$work/tree/a/b" && echo deep >"$work/tree/a/b/file" && cp "$work/random" "$work/tree/"
rsync -a -e "ssh $as_user" "$work/tree/" "$node_host:$remote.tree/"
rsync -a -e "ssh $as_user" "$node_host:$remote.tree/" "$work/tree-back/"
diff -r "$work/tree" "$work/tree-back" || die "rsync"

say "sftp goes on where it was cut"
head -c 2000000 "$work/random" >"$work/part"
printf 'put %s %s.part\nreput %s %s.part\nget %s.part %s\nrm %s.part\n' "$work/part" "$remote" "$work/random" "$remote" "$remote" "$work/reput" "$remote" >"$work/batch"
sftp -q $as_user -b "$work/batch" "$node_host" >/dev/null
cmp "$work/random" "$work/reput" || die "reput"

say "git: clone, push, fetch"
node_ssh "$node_host" "git init -q --bare '$remote.git'"
git -C "$work" init -q -b main repository
cp "$work/random" "$work/repository/file"
git -C "$work/repository" add file
git -C "$work/repository" -c user.name=a -c user.email=a@example.org commit -qm first
GIT_SSH_COMMAND="ssh $as_user" git -C "$work/repository" push -q "$node_host:$remote.git" main
GIT_SSH_COMMAND="ssh $as_user" git clone -q -b main "$node_host:$remote.git" "$work/cloned"
cmp "$work/random" "$work/cloned/file" || die "git"

say "new keys in mid-stream"
node_ssh -o RekeyLimit=1M "$node_host" 'cat' <"$work/random" | cmp - "$work/random" || die "rekeying by the client"

say "keep-alives while nothing is said"
[[ $(node_ssh -o ServerAliveInterval=1 -o ServerAliveCountMax=2 "$node_host" 'sleep 4; echo awake') == awake ]] || die "keep-alive"

say "several sessions over one connection"
ssh $as_user -o ControlMaster=yes -o ControlPath="$tmp/mux" -o ControlPersist=30 "$node_host" true
for number in 1 2 3; do ssh $as_user -o ControlPath="$tmp/mux" "$node_host" "echo $number" & done | sort | xargs >"$tmp/mux-out"
[[ $(cat "$tmp/mux-out") == "1 2 3" ]] || die "multiplexing: $(cat "$tmp/mux-out")"
ssh $as_user -o ControlPath="$tmp/mux" -O exit "$node_host" 2>/dev/null

say "cairn ssh"
[[ $(cairn ssh "$login@$node_name" 'echo by cairn') == "by cairn" ]] || die "cairn ssh"

node_ssh "$node_host" "rm -rf '$remote' '$remote'.*"
