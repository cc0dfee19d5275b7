"""Carries bytes from an asyncio reader to a writer, and their end."""


async def pipe(reader, writer):
    try:
        while block := await reader.read(65536):
            writer.write(block)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()
