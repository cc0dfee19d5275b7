"""A slow line, for kernels without netem: carries TCP both ways, late, with stalls as lost packets make them, and at a limited rate.

  relay.py LISTEN TARGET DELAY_MS LOSS_PERCENT BYTES_PER_S

A lost packet is what TCP makes of it: what was sent after it waits for its retransmission, here a round trip and 200 ms.
"""
import asyncio
import random
import sys

PACKET = 1400


async def carry(reader, writer, delay, loss, rate):
    loop = asyncio.get_running_loop()
    queue = asyncio.Queue(maxsize=64)  # what is under way; a full line holds the sender up

    async def deliver():
        while (item := await queue.get()) is not None:
            due, block = item
            await asyncio.sleep(due - loop.time())
            writer.write(block)
            await writer.drain()
        writer.write_eof()

    async def send():
        free = due = loop.time()
        try:
            while block := await reader.read(PACKET):
                free = max(free, loop.time()) + len(block) / rate
                due = max(due, free + delay)
                if random.random() < loss:
                    due += 2 * delay + 0.2
                await queue.put((due, block))
        finally:
            await queue.put(None)

    try:
        await asyncio.gather(deliver(), send())
    except OSError:
        writer.close()


async def main(listen, target, delay_ms, loss, rate):
    delay, loss, rate = int(delay_ms) / 1000, float(loss) / 100, float(rate)
    listen_host, listen_port = listen.rsplit(":", 1)
    host, port = target.rsplit(":", 1)

    async def serve(reader, writer):
        try:
            await asyncio.sleep(2 * delay)  # the handshake of TCP
            onward_reader, onward_writer = await asyncio.open_connection(host, int(port), limit=PACKET)
        except OSError:
            writer.close()
            return
        await asyncio.gather(carry(reader, onward_writer, delay, loss, rate), carry(onward_reader, writer, delay, loss, rate))
        onward_writer.close()
        writer.close()

    server = await asyncio.start_server(serve, listen_host, int(listen_port), limit=PACKET)
    print("listening on", listen, flush=True)
    await server.serve_forever()


random.seed(1)
asyncio.run(main(*sys.argv[1:]))
