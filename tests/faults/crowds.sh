# Strangers in numbers, half-open and talking nonsense, from one address: honest clients come in as before.
source "$(dirname "$0")/lib.sh"
make_networks
make_cluster_apart

# Milliseconds of ten sessions, sorted; prints the sixth.
typical_ms() {
  for _ in $(seq 10); do
    local from; from=$(now_ms)
    node_ssh "$node_host" true || die "a session was refused"
    echo $(($(now_ms) - from))
  done | sort -n | sed -n 6p
}
cat >"$tmp/crowd.py" <<'PY'
import asyncio, os, random, sys
host, port = sys.argv[1].rsplit(":", 1)
async def silent():
    while True:
        try:
            reader, writer = await asyncio.open_connection(host, int(port))
            await reader.read(1)
        except OSError:
            pass
        await asyncio.sleep(0.05)
async def nonsense():
    while True:
        try:
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(random.choice([b"GET / HTTP/1.1\r\n\r\n", os.urandom(200), b"\x16\x03\x01\x40\x00" + os.urandom(100), b"SSH-2.0-x\r\n"]))
            await writer.drain()
            await reader.read(100)
            writer.close()
        except OSError:
            pass
        await asyncio.sleep(0.02)
async def drip():
    while True:
        try:
            reader, writer = await asyncio.open_connection(host, int(port))
            for byte in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500):
                writer.write(bytes([byte]))
                await asyncio.sleep(0.5)
        except OSError:
            pass
        await asyncio.sleep(0.05)
async def main():
    await asyncio.gather(*(work() for work in [silent] * 300 + [nonsense] * 20 + [drip] * 100))
asyncio.run(main())
PY

node_ssh "$node_host" true
quiet_ms=$(typical_ms)
in_net router python3 "$tmp/crowd.py" "$proxy_address" >"$tmp/crowd.log" 2>&1 &
crowd=$!
wait_for 20 "the crowd to be limited" grep -q 'handshakes.limited.*too_many_of_address' "$tmp/proxy.log"
crowded_ms=$(typical_ms)
kill "$crowd"
say "a session: $quiet_ms ms without, $crowded_ms ms with the crowd"
((crowded_ms <= 2 * quiet_ms + 50)) || die "more than twice as long"
[[ $(grep -c handshakes.limited "$tmp/proxy.log") -le 5 ]] || die "the log was flooded: $(grep -c handshakes.limited "$tmp/proxy.log") lines"
