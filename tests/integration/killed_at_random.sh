# kill -9 of worker, supervisor and auth at random moments, again and again, while a session prints numbered lines with their times. A supervisor's or
# auth's death costs nothing; a worker's at most the last second of its terminal. What auth had stays; no line is there twice or missing in between.
# 15 kills; 1,000 with CAIRN_TEST_LONG (scripts/test --all).
source "$(dirname "$0")/lib.sh"
make_cluster
chmod 0755 "$tmp"  # the session looks there for its end

kills=15
[[ -z ${CAIRN_TEST_LONG:-} ]] || kills=1000
seed=${CAIRN_TEST_SEED:-$RANDOM$RANDOM}
RANDOM=$((seed % 32768))
say "seed $seed"

worst_ms=0
client=

begin_session() {
  : >"$tmp/seen"
  node_ssh "$node_host" 'bash -c '\''echo "session $CAIRN_SESSION_ID"; for ((i = 1; ; i++)); do [[ ! -e $0 ]] || exit 0; printf "line %d %s\n" $i $EPOCHREALTIME; sleep 0.02; done'\'" $tmp/enough" >"$tmp/seen" 2>/dev/null &
  client=$!
  wait_for 30 "the session to print" grep -q '^line 3 ' "$tmp/seen"
  session=$(sed -n 's/^session //p' "$tmp/seen")
  at_auth=$tmp/auth/recordings/$session.rec
}

# What auth has at this moment, killed or not: none of it may go.
note_what_auth_has() { cp "$at_auth" "$tmp/had" 2>/dev/null || : >"$tmp/had"; }
keep_what_auth_had() { cmp -s -n "$(stat -c %s "$tmp/had")" "$at_auth" "$tmp/had" || die "$1: auth has lost or changed what it had of $session"; }

# A line that is not whole is the last one's.
recorded_lines() { cairn play "$session" --events=none --speed=max 2>/dev/null | grep -a '^line [0-9]* [0-9.]*$' >"$tmp/recorded" || true; }

# The numbers ascend by one from 1; prints how many ms are missing before $1, all since the first line if there is none.
check_lines() {
  awk -v killed="$1" -v last="$(sed -n 's/^line 1 //p' "$tmp/seen")" '
    $2 != NR { printf "line %d stands where line %d should\n", $2, NR; bad = 1; exit 1 }
    { last = $3 }
    END { if (!bad) { ms = (killed - last) * 1000; if (ms < 0) ms = 0; printf "%d\n", ms } }' "$tmp/recorded"
}

restart() {
  case $1 in
    auth) start_auth ;;
    agent) start_agent ;;
  esac
}

kill_worker() {
  local killed worker lost also=
  worker=$(pgrep -f -- "worker $tmp/agent" | head -n 1)
  # One in two does not die alone.
  case $((RANDOM % 4)) in 0) also=auth ;; 1) also=agent ;; esac
  killed=$EPOCHREALTIME
  kill -KILL "$worker"
  if [[ -n $also ]]; then crash $also; restart $also; fi
  wait $client 2>/dev/null || true
  wait_for 60 "the recording of $session to be closed" recording_is_complete "$session"
  keep_what_auth_had "worker and ${also:-nobody else}"
  recorded_lines
  lost=$(check_lines "$killed") || die "worker: $lost"
  [[ $lost -le 1000 ]] || die "worker: $lost ms of the terminal are missing"
  [[ $lost -le $worst_ms ]] || worst_ms=$lost
  [[ $(cairn recordings ls --format=json | jq -r --arg id "$session" '.[] | select(.id == $id) | .end_reason') == interrupted ]] || die "its end is not on record"
  verdict=0
  cairn recordings verify "$session" >"$tmp/verdict" 2>&1 || verdict=$?
  [[ $verdict -eq 0 || $verdict -eq 3 ]] && ! grep -qE 'altered|removed|reordered|spliced' "$tmp/verdict" || die "verify: $(cat "$tmp/verdict")"
  client=
}

kill_daemon() {
  local before
  before=$(wc -l <"$tmp/seen")
  crash "$1"
  restart "$1"
  wait_for 30 "the session to go on without $1" bash -c "[ \$(wc -l <'$tmp/seen') -gt $before ]"
  kill -0 $client 2>/dev/null || die "the session ended with $1"
}

died=0
while ((died < kills)); do
  for victim in $(shuf -e worker agent auth --random-source=<(yes $RANDOM)); do
    [[ -n $client ]] || begin_session
    sleep "$((RANDOM % 2)).$(printf %03d $((RANDOM % 1000)))"  # the fault's own moment
    note_what_auth_has
    if [[ $victim == worker ]]; then kill_worker; else kill_daemon $victim; fi
    died=$((died + 1))
  done
done

# The last session ends as it should, whatever it lived through: everything is there.
[[ -n $client ]] || begin_session
crash agent
start_agent
touch "$tmp/enough"
wait $client || die "the last session failed"
wait_for 60 "the last recording to be complete" recording_is_complete "$session"
recorded_lines
grep -a '^line [0-9]* [0-9.]*$' "$tmp/seen" >"$tmp/shown"
cmp -s -n "$(stat -c %s "$tmp/shown")" "$tmp/recorded" "$tmp/shown" || die "what the person saw is not what was recorded"
say "$died kills; at most $worst_ms ms of a killed worker's terminal are missing"
