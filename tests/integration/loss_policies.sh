# The worker is stopped for two seconds while a program opens files flat out. accounted: what found no room is missing, and counted
# to the last one. lossless: the program is held meanwhile, and nothing is missing. aggregate: what it reads again and again is counted, and nothing is missing.
source "$(dirname "$0")/lib.sh"
need_root
make_cluster

# A loop of opens that makes no process: a shell's redirections. Most of a second's worth per ten thousand.
flood='echo begun; i=0; while [ $i -lt 60000 ]; do : </dev/null; i=$((i + 1)); done; echo done'

stop_the_worker_in_the_midst() {
  rm -f "$tmp/flooded"  # of the policy before: it says "begun" until the client's shell has emptied it
  node_ssh "$node_host" "$flood" >"$tmp/flooded" &
  local client=$! worker
  wait_for 20 "the flood" grep -q begun "$tmp/flooded"
  worker=$(pgrep -f -- "worker $tmp/agent" | head -n 1)
  kill -STOP "$worker"
  sleep 2  # the fault itself: how long nobody reads
  kill -CONT "$worker"
  wait $client || die "the session failed"
  grep -q done "$tmp/flooded" || die "the program did not end"
}

# Exits 3 when something is missing, which one of the two expects.
totals() { { cairn recordings verify --format json "$session" || true; } | jq -r '.. | objects | select(has("kernel_issued")) | .kernel_issued, .kernel_stored, .kernel_missing' | head -n 3 | paste -sd' '; }

for policy in accounted lossless aggregate; do
  stop agent
  start_agent --recording-policy="$policy"
  stop_the_worker_in_the_midst
  finished_session
  read -r issued stored missing < <(totals)
  [[ $policy == aggregate || $issued -gt 60000 ]] || die "$policy: only $issued events"
  [[ $((stored + missing)) -eq $issued ]] || die "$policy: $issued issued, $stored stored, $missing missing"
  case $policy in
    accounted) [[ $missing -gt 0 ]] || die "accounted: nothing was missing: the fault did not strike" ;;
    aggregate)
      [[ $missing -eq 0 ]] || die "aggregate: $missing events are missing"
      events "$session"
      has_event '.folded.file.path == "/dev/null" and (.folded.opens | tonumber) > 10000'
      ;;
    lossless) [[ $missing -eq 0 ]] || die "lossless: $missing events are missing" ;;
  esac
  say "$policy: $issued issued, $stored stored, $missing missing"
done
