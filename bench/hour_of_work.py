"""Runs inside a session, for bench/live: what a person's hour at a shell looks like to the terminal and to the kernel.

  hour_of_work.py TIMED FOLDER COMMANDS PACE

The terminal shows TIMED (terminal_text.typing), and at each of its commands a real program runs, whose output is dropped: TIMED has it already. The
pauses are shortened so that a command takes PACE seconds: not shorter than the agent's reports of folded uses, or there would be fewer of them. FOLDER/done says that
it came to its end.
"""
import pathlib
import subprocess
import sys
import time

PROGRAM = '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n'


def pieces(timed: pathlib.Path):
    data, at = timed.read_bytes(), 0
    while at < len(data):
        end = data.index(b"\n", at)
        seconds, size = data[at:end].split()
        at = end + 1 + int(size)
        yield float(seconds), data[end + 1:at]


def everyday(folder: pathlib.Path) -> list[list[str]]:
    """A round of 24 commands: mostly looking and editing, now and then a build, a search, the network."""
    source = str(folder / "hello.c")
    look = [["ls", "-l", "/etc"], ["cat", "/etc/services"], ["git", "-C", str(folder), "status"], ["less", "/etc/profile"], ["grep", "-rn", "PATH", "/etc/default"],
            ["git", "-C", str(folder), "log"], ["vim", "-es", source, "+q"], ["ps", "aux"], ["df", "-h"], ["head", "-n", "40", "/etc/passwd"]]
    rare = [["cc", "-o", str(folder / "hello"), source], [str(folder / "hello")], ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/22"],
            ["sh", "-c", "ps aux | grep ssh | sort | uniq -c"]]
    return look + rare + look


def main() -> None:
    timed, folder, most, pace = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    folder.mkdir()
    (folder / "hello.c").write_text(PROGRAM)
    for setup in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(folder), *setup], check=True)
    round_, done, begun, begun_at = everyday(folder), 0, time.monotonic(), 0.0
    for seconds, data in pieces(timed):
        if data == b"\r\n" and done < most:
            try:
                subprocess.run(round_[done % len(round_)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            except OSError:
                pass  # not on this host
            done += 1
        if data.startswith(b"\x1b]0;"):  # a prompt
            if done == most:
                break
            time.sleep(max(0.0, begun + pace * done - time.monotonic()))
            begun_at = seconds
        time.sleep(min(seconds - begun_at, pace) / 500)
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    (folder / "done").touch()


if __name__ == "__main__":
    main()
