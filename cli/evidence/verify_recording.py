#!/usr/bin/env python3
"""Verifies a recording by docs/recording-format.md alone: Python's hashlib, openssl(1), age(1) and zstd(1), none of Cairn's code.

  verify_recording.py FILE CA_PEM [IDENTITY]     exit 0 and "intact"; with an identity the decrypted terminal on standard output

Of a bundle (cairn recordings bundle) it checks the audit events beside FILE as well.
"""
import base64
import hashlib
import hmac
import json
import pathlib
import subprocess
import struct
import sys
import tempfile
import uuid

HEADER = struct.Struct("<4sHBB16sQQQQQqQIIII32s32sII")


def fields(message: bytes):
    """(number, value) of a protobuf message: varints as int, the rest as bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while at < len(message):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        else:
            size = varint()
            yield key >> 3, message[at:at + size]
            at += size


def run(*command, data=b"") -> bytes:
    return subprocess.run(command, input=data, check=True, capture_output=True).stdout


def leaf(header: bytes, meta: bytes, payload_hash: bytes) -> bytes:
    return hashlib.sha256(b"\0" + header + meta + payload_hash).digest()


class Chunk:
    """The one at `at`. In archive form (magic CRNA) it holds another payload than the one that was signed, and that one's hash."""

    def __init__(self, data: bytes, at: int):
        self.header = b"CRNR" + data[at + 4:at + HEADER.size]
        values = HEADER.unpack(self.header)
        assert data[at:at + 4] in (b"CRNR", b"CRNA") and values[1] == 2, "no chunk lies here"
        (self.kind, self.form), self.number, meta_bytes, payload_bytes = values[2:4], values[5], values[13], values[14]
        self.previous, self.content, at = values[16], values[17], at + HEADER.size
        self.is_archived = data[at - HEADER.size:at - HEADER.size + 4] == b"CRNA"
        if self.is_archived:
            written, payload_bytes = data[at:at + 32], int.from_bytes(data[at + 32:at + 36], "little")
            at += 48
        self.meta, self.payload = data[at:at + meta_bytes], data[at + meta_bytes:at + meta_bytes + payload_bytes]
        self.end = at + meta_bytes + payload_bytes
        assert len(self.payload) == payload_bytes, "the file ends inside a chunk"
        self.stored_leaf = leaf(self.header, self.meta, hashlib.sha256(self.payload).digest())
        self.leaf = leaf(self.header, self.meta, written) if self.is_archived else self.stored_leaf


def chunks_of(data: bytes) -> list[Chunk]:
    chunks = []
    while not chunks or chunks[-1].end < len(data):
        chunks.append(Chunk(data, chunks[-1].end if chunks else 0))
    return chunks


def root(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root(leaves[:split]) + root(leaves[split:])).digest()


def hkdf(key: bytes, salt: bytes, info: bytes, size: int) -> bytes:
    extracted = hmac.digest(salt or bytes(32), key, hashlib.sha256)
    return hmac.digest(extracted, info + b"\1", hashlib.sha256)[:size]


def public_key(folder: pathlib.Path, certificate: bytes, ca: str) -> pathlib.Path:
    """The certificate's key, once openssl has checked who signed the certificate."""
    der, pem, key = folder / "c.der", folder / "c.pem", folder / f"{hashlib.sha256(certificate).hexdigest()}.pem"
    der.write_bytes(certificate)
    pem.write_bytes(run("openssl", "x509", "-inform", "DER", "-in", str(der)))
    run("openssl", "verify", "-no_check_time", "-CAfile", ca, str(pem))
    key.write_bytes(run("openssl", "x509", "-in", str(pem), "-noout", "-pubkey"))
    return key


def check_note(folder, note: str, key: pathlib.Path, is_cosignature: bool) -> list[str]:
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    for line in signatures.splitlines():
        signature = base64.b64decode(line.split(" ")[2])[4:]
        if (len(signature) == 72) != is_cosignature:
            continue
        signed = text.encode()
        if is_cosignature:
            signed = f"cosignature/v1\ntime {int.from_bytes(signature[:8], 'big')}\n".encode() + signed
            signature = signature[8:]
        (folder / "text").write_bytes(signed)
        (folder / "signature").write_bytes(signature)
        run("openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", str(key), "-in", str(folder / "text"),
            "-sigfile", str(folder / "signature"))
        return text.splitlines()
    raise ValueError("a signature is missing")


def root_by_path(leaf: bytes, place: int, size: int, path: list[bytes]) -> bytes:
    """RFC 9162 §2.1.3.2"""
    last = size - 1
    for sibling in path:
        if place & 1 or place == last:
            leaf = hashlib.sha256(b"\1" + sibling + leaf).digest()
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            leaf = hashlib.sha256(b"\1" + leaf + sibling).digest()
        place, last = place >> 1, last >> 1
    assert last == 0
    return leaf


def check_audit(folder, audit: dict, auth: pathlib.Path, session: str, sealed: bytes):
    event = json.loads(audit[1])
    assert (event["kind"], event["session_id"], event["fields"]["root"]) == ("session.end", session, sealed.hex())
    origin, size, said = check_note(folder, audit[4].decode(), auth, False)[:3]
    path = [audit.get(3, b"")[at:at + 32] for at in range(0, len(audit.get(3, b"")), 32)]
    leaf = hashlib.sha256(b"\0" + audit[1]).digest()
    assert origin.endswith("/log") and base64.b64decode(said) == root_by_path(leaf, audit[2] - 1, int(size), path), \
        "the seal is not in the audit log"


def check_archive(folder, archive: dict, auth: pathlib.Path, chunks: list[Chunk]):
    """What auth has recompressed lies as auth has signed it; that it means the same, the header's HMAC tells who has the key."""
    origin, size, said = check_note(folder, archive[1].decode(), auth, True)[:3]
    assert origin.endswith(f"/recordings/{uuid.UUID(bytes=chunks[0].header[8:24])}/archive") and int(size) == len(chunks)
    stored = [archive[2][at:at + 32] for at in range(0, len(archive[2]), 32)]
    assert base64.b64decode(said) == root(stored), "the archive's root is another"
    for place, chunk in enumerate(chunks):
        assert not chunk.is_archived or chunk.stored_leaf == stored[place], f"chunk {place} is not what auth had recompressed"


def check_events(folder: pathlib.Path, audit: pathlib.Path, ca: str):
    """Every event of a bundle is a leaf of the log that auth has signed."""
    signer = run("openssl", "x509", "-in", str(audit / "signer.pem"), "-outform", "DER")
    origin, size, said = check_note(folder, (audit / "head.note").read_text(), public_key(folder, signer, ca), False)[:3]
    entries, paths = (audit / "events.jsonl").read_bytes().splitlines(), (audit / "paths.jsonl").read_text().splitlines()
    assert origin.endswith("/log") and len(entries) == len(paths)
    for entry, line in zip(entries, paths):
        place = json.loads(line)
        path = [bytes.fromhex(each) for each in place["path"]]
        leaf = hashlib.sha256(b"\0" + entry).digest()
        assert base64.b64decode(said) == root_by_path(leaf, place["leaf"] - 1, int(size), path), \
            f"event {place['leaf']} is not in the audit log"
    print(f"{len(entries)} audit events are in the log of {size}", file=sys.stderr)


def secret_of(folder: pathlib.Path, sealed: bytes, identity: str) -> bytes:
    """What is sealed is a DER value for holders of P-256 and RSA keys, an age file for those of age keys, or one behind the other."""
    size = 0
    if sealed[0] == 0x30:
        more = max(sealed[1] - 128, 0)
        size = 2 + more + (int.from_bytes(sealed[2:2 + more], "big") if more else sealed[1])
    part, is_pem = folder / "sealed", b"-----BEGIN" in pathlib.Path(identity).read_bytes()
    part.write_bytes(sealed[:size] if is_pem else sealed[size:])
    if is_pem:
        return run("openssl", "cms", "-decrypt", "-inform", "DER", "-in", str(part), "-inkey", identity)
    return run("age", "-d", "-i", identity, str(part))


def open_chunk(secret: bytes, number: int, form: int, payload: bytes) -> bytes:
    """Without a look at the ciphers' tags: the digest in the chunk's header proves what comes out."""
    def decrypt(cipher: str, key: bytes, start: bytes, sealed: bytes) -> bytes:
        return run("openssl", "enc", "-d", cipher, "-K", key.hex(), "-iv", start.hex(), data=sealed[:-16])
    if form == 4:
        key = hkdf(secret, b"", b"cairn frame" + struct.pack("<Q", number), 32)
        return decrypt("-aes-256-ctr", key, bytes(15) + b"\2", payload)
    begin = payload.index(b"\n", payload.index(b"\n--- ") + 1) + 1
    file_key = hkdf(secret, b"", b"cairn chunk" + struct.pack("<Q", number), 16)
    key, sealed, step = hkdf(file_key, payload[begin:begin + 16], b"payload", 32), payload[begin + 16:], 65536 + 16
    return b"".join(decrypt("-chacha20", key, struct.pack("<I", 1) + counter.to_bytes(11, "big") + bytes([at + step >= len(sealed)]), sealed[at:at + step])
                    for counter, at in enumerate(range(0, len(sealed), step)))


def main(file: str, ca: str, identity: str | None = None) -> int:
    data = pathlib.Path(file).read_bytes()
    *chunks, last = chunks_of(data)
    assert chunks[0].kind == 0 and chunks[-1].kind == 2 and last.kind == 3
    for before, after in zip(chunks, chunks[1:] + [last]):
        assert after.previous == before.leaf, "a chunk does not continue the one before"
    leaves = [chunk.leaf for chunk in chunks]
    opening = dict(fields(run("zstd", "-dcq", data=chunks[0].payload)))
    proof = dict(fields(run("zstd", "-dcq", data=last.payload)))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        session, auth = public_key(folder, opening[2], ca), public_key(folder, proof[4], ca)
        for note, key, is_cosignature in ((proof[1], session, False), (proof[1], auth, True), (proof[2], auth, True)):
            origin, size, said = check_note(folder, note.decode(), key, is_cosignature)[:3]
            assert int(size) == len(leaves) and base64.b64decode(said) == root(leaves), "the root is another"
        assert proof[3] == b"".join(leaves)
        if any(chunk.is_archived for chunk in chunks):
            check_archive(folder, dict(fields(proof[7])), auth, chunks)
        check_audit(folder, dict(fields(proof[5])), auth, str(uuid.UUID(bytes=data[8:24])), root(leaves))
        if (pathlib.Path(file).parent / "audit" / "events.jsonl").exists():
            check_events(folder, pathlib.Path(file).parent / "audit", ca)
        if identity:
            later = pathlib.Path(file + ".keys")
            secret = secret_of(folder, later.read_bytes() if later.exists() else opening[3], identity)
            key = hkdf(secret, b"", b"cairn content" + bytes(8), 32)
            for chunk in chunks:
                if chunk.kind == 1 and chunk.form in (1, 4):
                    raw = run("zstd", "-dcq", data=open_chunk(secret, chunk.number, chunk.form, chunk.payload))
                    assert hmac.digest(key, raw, hashlib.sha256) == chunk.content, f"chunk {chunk.number} holds what the node had not seen"
                    while raw:
                        size = int.from_bytes(raw[:4], "little")
                        for number, value in fields(raw[4:4 + size]):
                            if number == 7:
                                sys.stdout.buffer.write(value)
                        raw = raw[4 + size:]
    print("intact", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
