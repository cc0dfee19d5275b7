"""An HTTP proxy that leads out (CONNECT alone) and wants a user and password. One line per request: the request and the answer.

  http_connect.py USER:PASSWORD
"""
import asyncio
import base64
import sys

from pipe import pipe


async def main(credentials):
    wanted = b"Proxy-Authorization: Basic " + base64.b64encode(credentials.encode())

    async def serve(reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, OSError):
            writer.close()
            return
        method, target, _ = head.split(b" ", 2)
        if wanted not in head.split(b"\r\n"):
            print("CONNECT", target.decode(), 407, flush=True)
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=out\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            writer.close()
            return
        host, port = target.decode().rsplit(":", 1)
        try:
            onward_reader, onward_writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except OSError:
            print("CONNECT", target.decode(), 502, flush=True)
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            writer.close()
            return
        print("CONNECT", target.decode(), 200, flush=True)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pipe(reader, onward_writer), pipe(onward_reader, writer))
        onward_writer.close()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print("listening on 127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main(sys.argv[1]))
