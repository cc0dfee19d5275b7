"""A TCP load balancer: passes connections on with a PROXY protocol version 2 header that names ADDRESS and PORT as their source.

  balancer.py TARGET ADDRESS PORT      TARGET and "listening on" are ip:port
"""
import asyncio
import ipaddress
import struct
import sys

from pipe import pipe


def header(address, port):
    source = ipaddress.ip_address(address)
    other = ipaddress.ip_address("203.0.113.1" if source.version == 4 else "2001:db8::1")
    body = source.packed + other.packed + struct.pack(">HH", port, 443)
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x21, 0x11 if source.version == 4 else 0x21]) + struct.pack(">H", len(body)) + body


async def main(target, address, port):
    host, target_port = target.rsplit(":", 1)

    async def serve(reader, writer):
        try:
            onward_reader, onward_writer = await asyncio.open_connection(host, int(target_port))
        except OSError:
            writer.close()
            return
        onward_writer.write(header(address, int(port)))
        await asyncio.gather(pipe(reader, onward_writer), pipe(onward_reader, writer))
        onward_writer.close()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print("listening on 127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
