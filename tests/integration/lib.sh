# What every integration test stands on: a throw-away cluster of the real programs on loopback, and ways to wait and to expect.
# Sourced by tests/integration/<behaviour>.sh. Needs CAIRN_BUILD (a build folder). Bash 5.
#
#   start_auth; start_proxy; start_agent    one each, ready when the call returns; a second call restarts on the same port and data
#   make_cluster                            all three, a role "ops" (login $login on every node), a user alice, logged in
#   node_ssh ARGS…                          stock ssh to the node, for example: node_ssh "$node_host" true
#   wait_for SECONDS WHAT COMMAND…          until COMMAND succeeds; fails the test at the deadline
#   expect_failure CODE TEXT COMMAND…       COMMAND must exit with CODE and say TEXT on stderr, in few lines and without a stack trace;
#                                           reads the file $input, if set
#   skip REASON                             ends the test as skipped
#   inside[NAME]="COMMAND…"                 what auth, proxy, agent or person (cairn, ssh) is started by: a network namespace, say
set -euo pipefail

: "${CAIRN_BUILD:?set CAIRN_BUILD to a build folder, for example build/dev}"
source_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=$(cd "$CAIRN_BUILD/bin" && pwd)
login=${CAIRN_TEST_LOGIN:-cairn-test}
node_name=web-1
cluster=testing
node_host=$node_name.$cluster
tmp=$(mktemp -d /tmp/cairn-it.XXXXXX)
export CAIRN_HOME=$tmp/home
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0:exitcode=99} UBSAN_OPTIONS=print_stacktrace=1
unset CAIRN_AUTH_SOCKET SSH_AUTH_SOCK
declare -A daemon_pid=() inside=()

say() { printf '# %s\n' "$*"; }

die() {
  printf 'FAIL %s\n' "$*" >&2
  exit 1
}

skip() {
  printf 'skipped: %s\n' "$*"
  exit 77
}

need_root() { [[ $EUID -eq 0 ]] || skip "needs root: BPF, PAM and other accounts"; }

# Pids of this cluster's processes of any kind (daemons, workers, login processes), by the folder they were given.
cluster_pids() { pgrep -f -- "$tmp/" || true; }

sanitizer_reports() {
  grep -lE '(ERROR|WARNING): (Address|Leak|Thread)Sanitizer|runtime error:|internal error, ending' "$tmp"/*.log 2>/dev/null || true
}

cleanup() {
  local status=$?
  trap - EXIT
  set +e
  for name in agent proxy auth; do stop "$name" 2>/dev/null; done
  local pids; pids=$({ cluster_pids; jobs -p; } | grep -vx $$)
  [[ -n $pids ]] && kill -KILL $pids 2>/dev/null
  local reports; reports=$(sanitizer_reports)
  if [[ -n $reports ]]; then
    echo "FAIL a sanitizer or an internal error spoke in: $reports" >&2
    status=1
  fi
  if [[ $status -ne 0 && $status -ne 77 ]]; then
    for log in "$tmp"/*.log; do
      [[ -s $log ]] && printf -- '---- %s\n' "${log##*/}" >&2 && tail -n 60 "$log" >&2
    done
  fi
  umount -l "$tmp/bpf" 2>/dev/null
  rm -rf "$tmp"
  exit "$status"
}
trap cleanup EXIT

wait_for() {
  local seconds=$1 what=$2
  shift 2
  local deadline=$((SECONDS + seconds))
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || die "waited $seconds s for: $what"
    sleep 0.05
  done
}

expect_failure() {
  local code=$1 text=$2 status=0
  shift 2
  "$@" >"$tmp/out" 2>"$tmp/err" <"${input:-/dev/null}" || status=$?
  [[ $status -eq $code ]] || die "$* exited with $status, not $code; it said: $(cat "$tmp/err")"
  grep -qiE -- "$text" "$tmp/err" || die "$* did not say \"$text\"; it said: $(cat "$tmp/err")"
  [[ $(wc -l <"$tmp/err") -le 6 ]] || die "$* said more than six lines: $(cat "$tmp/err")"
  ! grep -qE 'terminate called|Sanitizer|#0 0x|what\(\)' "$tmp/err" || die "$* showed its entrails: $(cat "$tmp/err")"
}

# The value of field $3 in the newest log line of event $2 of program $1.
log_field() { grep -F " $2 " "$tmp/$1.log" | tail -n 1 | grep -oP "(?<= $3=)\S+" | tr -d '"'; }

is_ready() { tail -c +"$((ready_from + 1))" "$tmp/$1.log" | grep -qF " $1.ready"; }

# Starts program $1 with the remaining arguments and waits for its ready line. Its log grows over restarts.
launch() {
  local name=$1
  shift
  touch "$tmp/$name.log"
  ready_from=$(stat -c %s "$tmp/$name.log")
  ${inside[$name]:-} "$bin/cairn-$name" "$@" >>"$tmp/$name.log" 2>&1 </dev/null 9>&- &  # 9: what a test types into, whose end must be seen
  daemon_pid[$name]=$!
  local deadline=$((SECONDS + ${CAIRN_TEST_PATIENCE:-60}))
  until is_ready "$name"; do
    kill -0 "${daemon_pid[$name]}" 2>/dev/null || {
      ! grep -q 'cannot record what its kernel sees.*Operation not permitted' "$tmp/$name.log" || skip "root may not load BPF programs here"
      die "cairn-$name ended before it was ready"
    }
    ((SECONDS < deadline)) || die "cairn-$name was not ready in time"
    sleep 0.05
  done
}

# SIGTERM; the program must end with 0.
stop() {
  local pid=${daemon_pid[$1]:-} status=0
  [[ -n $pid ]] || return 0
  unset "daemon_pid[$1]"
  kill -TERM "$pid" 2>/dev/null || return 0
  wait "$pid" || status=$?
  [[ $status -eq 0 ]] || die "cairn-$1 ended with $status after SIGTERM"
}

# kill -9, as a crash does.
crash() {
  local pid=${daemon_pid[$1]}
  unset "daemon_pid[$1]"
  kill -KILL "$pid"
  wait "$pid" 2>/dev/null || true
}

admin() { "$bin/cairn" --auth-socket "$tmp/auth/auth.sock" "$@"; }
cairn() { ${inside[person]:-} "$bin/cairn" "$@"; }

start_auth() {
  launch auth --data-dir "$tmp/auth" --listen-address "${auth_address:-127.0.0.1:0}" --cluster "$cluster" "$@"
  auth_address=$(log_field auth auth.ready address)
  ca_pin=$(log_field auth auth.ready ca_pin)
}

new_token() { admin tokens add --type="$1" "${@:2}" --format=json | jq -r '(if type == "array" then .[0] else . end).secret'; }

start_proxy() {
  local token=()
  [[ -d $tmp/proxy ]] || token=(--token "$(new_token proxy)" --ca-pin "$ca_pin")
  launch proxy --data-dir "$tmp/proxy" --listen-address "${proxy_address:-127.0.0.1:0}" --auth-address "$auth_address" \
    --name proxy-1 --drain-limit=0s "${token[@]}" "$@"
  proxy_address=$(log_field proxy proxy.ready address)
}

start_agent() {
  "$source_root/tests/integration/prepare_host"
  local token=()
  [[ -d $tmp/agent ]] || token=(--token "$(new_token node)" --ca-pin "$ca_pin")
  launch agent --data-dir "$tmp/agent" --proxy-address "$proxy_address" --bpf-dir "$tmp/bpf" --name "$node_name" \
    --labels env=test "${token[@]}" "$@"
}

make_user() {
  local name=$1 role=$2
  printf '%s\n' "correct horse $name" >"$tmp/$name.password"
  admin users add "$name" --roles="$role" --password-stdin <"$tmp/$name.password"
}

log_in() {
  CAIRN_HOME=${2:-$CAIRN_HOME} cairn login --proxy="$proxy_address" --user="$1" --ca-pin="$ca_pin" --password-stdin <"$tmp/$1.password"
}

write_ssh_config() { cairn config >"$tmp/ssh_config"; }
node_ssh() { ${inside[person]:-} ssh -F "$tmp/ssh_config" -l "$login" -o BatchMode=yes "$@"; }

auth_options=()                     # of make_cluster's cairn-auth
role_options=(--piped-output=all)  # of its role "ops": many tests look for a stream of data in a recording
make_cluster() {
  need_root
  start_auth "${auth_options[@]}"
  start_proxy
  start_agent "$@"
  admin roles add ops --logins="$login,root" --node-labels='*=*' --verbs=audit,recordings "${role_options[@]}" >/dev/null
  make_user alice ops >/dev/null
  log_in alice >/dev/null
  write_ssh_config
}

# ---- recordings

newest_session() { cairn sessions ls --format=json | jq -r '.[0].id'; }
recording_is_complete() { [[ $(cairn recordings ls --format=json | jq -r --arg id "$1" '.[] | select(.id | startswith($id)) | .recording_complete') == true ]]; }

# Waits until the newest session's recording has arrived whole, and sets $session.
finished_session() {
  session=$(newest_session)
  [[ -n $session && $session != null ]] || die "no session is listed"
  wait_for 60 "the recording of $session to be complete" recording_is_complete "$session"
}

# The output of session $1 holds a line that matches $2.
has_output() {
  cairn play "$1" --speed=max --events=none </dev/null >"$tmp/played"
  grep -q -- "$2" "$tmp/played" || die "the recording of $1 has no line with: $2"
}

# The events of a session, one JSON object per line, into $tmp/events.
events() { cairn play "$1" --format=json --speed=max >"$tmp/events"; }

# At least one event must satisfy the jq condition $1.
has_event() { jq -e -s "any(.[]; $1)" "$tmp/events" >/dev/null || die "no event with: $1"; }
has_no_event() { ! jq -e -s "any(.[]; $1)" "$tmp/events" >/dev/null || die "there is an event with: $1"; }
