# A recording cut off in the middle plays up to the cut, says so, and exits with 3.
source "$(dirname "$0")/lib.sh"
make_cluster
node_ssh "$node_host" 'echo the beginning; sleep 1.2; echo the end'
finished_session
file=$tmp/auth/recordings/$session.rec
size=$(stat -c %s "$file")
cp "$file" "$tmp/whole.rec"
cairn play "$tmp/whole.rec" --speed=max >"$tmp/out" && grep -q "the end" "$tmp/out" || die "the whole file does not play"
for keep in $((size - 1)) $((size / 2)) 100 64 63; do
  head -c "$keep" "$tmp/whole.rec" >"$tmp/cut.rec"
  expect_failure 3 "cut|ends after|incomplete|torn" cairn play "$tmp/cut.rec" --speed=max
  expect_failure 3 "cut|ends after|incomplete|torn" cairn recordings verify "$tmp/cut.rec"
done
head -c $((size - 1)) "$tmp/whole.rec" >"$tmp/cut.rec"
cairn play "$tmp/cut.rec" --speed=max >"$tmp/out" 2>/dev/null || true
grep -q "the beginning" "$tmp/out" || die "what lies before the cut does not play"
