# A jump to any moment shows what playing from the start shows, over recordings of real programs on a terminal that is resized.
# 1,000 moments of each; 10,000 with CAIRN_TEST_LONG (scripts/test --all).
source "$(dirname "$0")/lib.sh"
command -v age-keygen >/dev/null || skip "needs age"
age-keygen -o "$tmp/auditor.key" 2>/dev/null
auth_options=(--recording-recipients "cluster,$(age-keygen -y "$tmp/auditor.key")")
make_cluster
moments=1000
[[ -z ${CAIRN_TEST_LONG:-} ]] || moments=10000
seed=${CAIRN_TEST_SEED:-$RANDOM}
for program in vim less tmux htop top apt escapes; do
  status=0
  python3 "$source_root/tests/support/use_programs.py" ssh -F "$tmp/ssh_config" -l "$login" -tt "$node_host" -- "$program" || status=$?
  [[ $status -ne 77 ]] || { say "$program: not on this host"; continue; }
  [[ $status -eq 0 ]] || die "$program ended with $status"
  finished_session
  cairn recordings download "$session" -o "$tmp/$program.rec" >/dev/null
  mkdir "$tmp/$program"
  said=$("$bin/seek_oracle" "$tmp/$program.rec" "$moments" "$seed" "$tmp/$program" "$tmp/auditor.key") || die "$program, seed $seed: $said"
  say "$program: $said"
done
