#!/usr/bin/env python3
"""Uses terminal programs as a person does, on a terminal of its own that is resized meanwhile.

  use_programs.py SSH-COMMAND… -- PROGRAM

PROGRAM is one of the names below; what it needs runs on the other side. Exit 77 when that host lacks it.
"""
import base64
import fcntl
import inspect
import os
import pty
import random
import select
import signal
import struct
import sys
import termios
import time

UP, DOWN, PAGE = "\x1b[A", "\x1b[B", "\x1b[6~"
PROGRAMS = {
    "vim": ("vim -u NONE -N /etc/services", ["ix", "hello", "\x1b", "dd", ":set hlsearch\r", "/tcp\r", "n", "n", "RESIZE", "\x06", "\x06", ":split\r", "\x17j", "G", "gg", "\x02", ":q!\r", ":q!\r"]),
    "less": ("less /etc/services", [PAGE, PAGE, "/udp\r", "n", "RESIZE", "G", "g", DOWN, DOWN, UP, "q"]),
    "tmux": ("tmux -f /dev/null -L cairn-oracle new-session; true", ["seq 200\r", "\x02%", "ls -la /etc\r", "\x02\"", "cat /etc/services\r", "RESIZE", "\x02o", "seq 50\r", "tmux -L cairn-oracle kill-server\r"]),
    "htop": ("htop -d 2", [DOWN, DOWN, "t", "RESIZE", "I", UP, "t", DOWN, "q"]),
    "top": ("top -d 0.2", ["c", "1", "RESIZE", "t", "m", "q"]),
    "apt": ("apt list --installed 2>/dev/null | head -300; apt-cache policy", ["", "RESIZE", ""]),
    "escapes": ("", ["RESIZE"] * 3),
}


def resize(fd: int, rng: random.Random) -> None:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rng.randrange(10, 60), rng.randrange(30, 160), 0, 0))


def escapes(rng: random.Random) -> str:
    """Sequences of every kind, whole and torn, as a script that prints them slowly."""
    finals = "ABCDEFGHJKLMPSTXZ@`abcdefghilmnpqrstu"
    out = []
    for _ in range(3000):
        kind = rng.randrange(8)
        if kind < 3:
            out.append("\x1b[" + rng.choice(["", "?", ">"]) + ";".join(str(rng.randrange(0, 130)) for _ in range(rng.randrange(4))) + rng.choice(finals))
        elif kind == 3:
            out.append("\x1b" + rng.choice("78DEHMc=>()*+"))
        elif kind == 4:
            out.append(rng.choice(["\x1b]0;title\x07", "\x1bPq#0\x1b\\", "\x1b[?1049h", "\x1b[?1049l", "\x1b[38;5;7", "\x9b", "\x18"]))
        elif kind == 5:
            out.append(rng.choice(["日本語", "ä", "e\u0301", "👩‍👩‍👧", "\udce6"]))
        else:
            out.append(rng.choice(["\r\n", "\t", "\b", " "]) + "text" * rng.randrange(5))
    return "".join(out)


def escapes_command() -> str:
    program = (inspect.getsource(escapes) + "import os, random, time\ndata = escapes(random.Random(5)).encode('utf-8', 'surrogateescape')\n"
               "for at in range(0, len(data), 97):\n    os.write(1, data[at:at + 97])\n    time.sleep(0.002)\n")
    packed = base64.b64encode(program.replace("rng: random.Random", "rng").encode()).decode()
    return f"python3 -c \"import base64; exec(base64.b64decode('{packed}'))\""


def main() -> int:
    separator = sys.argv.index("--")
    ssh, name = sys.argv[1:separator], sys.argv[separator + 1]
    command, keys = PROGRAMS[name]
    command = command or escapes_command()
    rng = random.Random(name)
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execvp(ssh[0], [*ssh, f"command -v {command.split()[0]} >/dev/null || exit 77; export TERM=xterm-256color; {command}"])
    resize(fd, rng)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        ready, _, _ = select.select([fd], [], [], 0.3)
        if ready:
            try:
                if not os.read(fd, 65536):
                    break
            except OSError:  # EIO: the other side is gone
                break
        if keys and (not ready or rng.random() < 0.05):
            key = keys.pop(0)
            resize(fd, rng) if key == "RESIZE" else os.write(fd, key.encode())
    else:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
