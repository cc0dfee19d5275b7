# Two sessions at once on one node never see each other's events.
source "$(dirname "$0")/lib.sh"
make_cluster
both() { # each waits for the other to be there, then both work at the same time
  node_ssh "$node_host" "touch $tmp/meet/$1; until [ -e $tmp/meet/$2 ]; do :; done
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do /bin/echo $1-\$i >/dev/null; cat /etc/hostname $tmp/meet/$1 >/dev/null; done; echo \$CAIRN_SESSION_ID"
}
mkdir -m 0777 "$tmp/meet" && chmod 0755 "$tmp"
both left right >"$tmp/left" &
left=$!
both right left >"$tmp/right"
wait $left
for side in left right; do
  other=$([[ $side == left ]] && echo right || echo left)
  session=$(cat "$tmp/$side")
  wait_for 60 "the recording of $session" recording_is_complete "$session"
  events "$session"
  [[ $(jq -s "[.[] | select((.exec.argv // []) | .[1:] | any(startswith(\"$side-\")))] | length" "$tmp/events") -eq 20 ]] || die "$side: not all 20 executions"
  has_event ".open.file.path == \"$tmp/meet/$side\""
  has_no_event "(.exec.argv // []) | .[1:] | any(startswith(\"$other-\"))"
  has_no_event "(.exec.argv // []) | any(. == \"$tmp/meet/$other\")"
  [[ $(jq -s '[.[] | select(.kernel_seq != null) | .kernel_seq | tonumber] | sort | . == [range(1; length + 1)]' "$tmp/events") == true ]] || die "$side: the sequence has holes"
done
