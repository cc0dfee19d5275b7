# Ansible, as it comes: each way in which it transfers files, over connections that it keeps; in the long form each with and without pipelining.
source "$(dirname "$0")/lib.sh"
command -v ansible-playbook >/dev/null || skip "needs ansible-core"
make_cluster
home=$(getent passwd "$login" | cut -d: -f6)
head -c 300000 /dev/urandom >"$tmp/file"
export ANSIBLE_CONFIG=$tmp/ansible.cfg ANSIBLE_LOCAL_TEMP=$tmp/ansible HOME=$tmp
cat >"$tmp/play.yaml" <<YAML
- hosts: all
  gather_facts: false
  tasks:
    - copy: {src: $tmp/file, dest: $home/ansible.$$, mode: "0640"}
    - command: sha256sum $home/ansible.$$
      register: sum
    - shell: 'cat; echo to stderr >&2'
      args: {stdin: "typed in"}
      register: shell
    - fetch: {src: $home/ansible.$$, dest: $tmp/fetched, flat: true}
    - file: {path: $home/ansible.$$, state: absent}
    - assert: {that: ["'$(sha256sum "$tmp/file" | cut -d' ' -f1)' in sum.stdout", "shell.stdout == 'typed in'", "shell.stderr == 'to stderr'"]}
YAML
ways=("sftp False" "scp True" "piped False")
[[ -z ${CAIRN_TEST_LONG:-} ]] || ways+=("sftp True" "scp False" "piped True")
for way in "${ways[@]}"; do
  read -r transfer pipelining <<<"$way"
  say "transfer by $transfer, pipelining $pipelining"
  cat >"$tmp/ansible.cfg" <<CFG
[defaults]
host_key_checking = True
remote_user = $login
interpreter_python = /usr/bin/python3
[ssh_connection]
ssh_args = -F $tmp/ssh_config -o ControlMaster=auto -o ControlPersist=10s
control_path_dir = $tmp/cp
transfer_method = $transfer
pipelining = $pipelining
CFG
  rm -f "$tmp/fetched"
  ansible-playbook -i "$node_host," "$tmp/play.yaml" >"$tmp/played" 2>&1 </dev/null || die "$(cat "$tmp/played")"
  grep -q 'unreachable=0 *failed=0' "$tmp/played" || die "$(cat "$tmp/played")"
  cmp "$tmp/file" "$tmp/fetched" || die "the file came back otherwise"
done
finished_session
