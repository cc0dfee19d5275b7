#!/usr/bin/env python3
"""Prints the terminal of a recording that was given to a later recipient, by docs/recording-format.md and age-encryption.org/v1 alone:
age(1) opens FILE.keys, Python's hmac derives each chunk's file key, what follows decrypts the chunk, zstd(1) unpacks it. None of Cairn's
code, and no cipher but that of RFC 8439, written out below.

  read_with_keys.py FILE IDENTITY
"""
import hashlib
import hmac
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "cli" / "evidence"))
from verify_recording import chunks_of, fields, hkdf, run


def chacha20_block(key: bytes, counter: int, nonce: bytes) -> bytes:
    state = list(struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<I", counter) + nonce))
    work = state[:]

    def quarter(a, b, c, d):
        for x, y, z, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            work[x] = (work[x] + work[y]) & 0xffffffff
            mixed = work[z] ^ work[x]
            work[z] = (mixed << bits | mixed >> 32 - bits) & 0xffffffff
    for _ in range(10):
        for column in range(4):
            quarter(column, 4 + column, 8 + column, 12 + column)
        for column in range(4):
            quarter(column, 4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4)
    return struct.pack("<16I", *((a + b) & 0xffffffff for a, b in zip(work, state)))


def poly1305(key: bytes, message: bytes) -> bytes:
    r = int.from_bytes(key[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff
    total = 0
    for at in range(0, len(message), 16):
        total = (total + int.from_bytes(message[at:at + 16] + b"\1", "little")) * r % ((1 << 130) - 5)
    return ((total + int.from_bytes(key[16:], "little")) % (1 << 128)).to_bytes(16, "little")


def open_sealed(key: bytes, nonce: bytes, sealed: bytes) -> bytes:
    ciphertext, tag = sealed[:-16], sealed[-16:]
    padded = ciphertext + bytes(-len(ciphertext) % 16) + struct.pack("<QQ", 0, len(ciphertext))
    assert hmac.compare_digest(poly1305(chacha20_block(key, 0, nonce)[:32], padded), tag), "the key is another's"
    stream = b"".join(chacha20_block(key, 1 + i, nonce) for i in range((len(ciphertext) + 63) // 64))
    return bytes(a ^ b for a, b in zip(ciphertext, stream))


def open_age(file: bytes, file_key: bytes) -> bytes:
    """An age file by its file key: the header's MAC is checked, its stanzas are not needed."""
    end = file.index(b"\n--- ") + len(b"\n---")
    line = file.index(b"\n", end)
    mac = hmac.digest(hkdf(file_key, b"", b"header", 32), file[:end], hashlib.sha256)
    assert run("base64", data=mac).strip().rstrip(b"=") == file[end + 1:line], "the header's MAC is another's"
    nonce, sealed, plain = file[line + 1:line + 17], file[line + 17:], b""
    key = hkdf(file_key, nonce, b"payload", 32)
    step = 65536 + 16
    for counter, at in enumerate(range(0, len(sealed), step)):
        is_last = at + step >= len(sealed)
        plain += open_sealed(key, counter.to_bytes(11, "big") + bytes([is_last]), sealed[at:at + step])
    return plain


def main(file: str, identity: str) -> int:
    secret = run("age", "-d", "-i", identity, file + ".keys")
    assert len(secret) == 32
    before = bytes(32)
    for chunk in chunks_of(pathlib.Path(file).read_bytes()):
        assert chunk.previous == before, "a chunk does not continue the one before"
        before = chunk.leaf
        if (chunk.kind, chunk.form) != (1, 1):
            continue
        file_key = hkdf(secret, b"", b"cairn chunk" + struct.pack("<Q", chunk.number), 16)
        raw = run("zstd", "-dcq", data=open_age(chunk.payload, file_key))
        content = hmac.digest(hkdf(secret, b"", b"cairn content" + bytes(8), 32), raw, hashlib.sha256)
        assert content == chunk.content, "it holds something else than the node had seen"
        while raw:
            size = int.from_bytes(raw[:4], "little")
            for field, value in fields(raw[4:4 + size]):
                if field == 7:
                    sys.stdout.buffer.write(value)
            raw = raw[4 + size:]
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
