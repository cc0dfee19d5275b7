"""The workloads of bench/recorder, from a seed: what people's terminals show."""
import os
import pathlib
import random

MB = 1_000_000


def _paths(limit=40_000) -> list[str]:
    found = []
    for folder, _, files in os.walk("/usr"):
        found += [os.path.join(folder, name) for name in files]
        if len(found) >= limit:
            break
    return found


def bulk(path: pathlib.Path, size: int) -> None:
    """W1: listings, logs, coloured search results, build lines, with path names of this machine."""
    rng, names = random.Random(1), _paths()
    words = "error warning session opened closed for user root by uid pam_unix cron started failed unit scope timer daily".split()

    place = [0]

    def next_name():  # as a walk finds them: neighbours share their folder
        place[0] = (place[0] + 1) % len(names)
        return names[place[0]]

    def listing():
        return (f"{5_200_000 + place[0]:>9} {rng.choice([4, 4, 8, 12, 64]):>6} -rw-r--r--   1 root     root     "
                f"{rng.randrange(99_999):>9} Jun 11  2023 {next_name()}\n")

    def journal():
        return (f"Nov 21 12:{rng.randrange(60):02}:{rng.randrange(60):02} web-1 {rng.choice(['sshd', 'systemd', 'CRON'])}[{rng.randrange(4000, 4100)}]: "
                f"pam_unix({rng.choice(words)}:session): session {rng.choice(['opened', 'closed'])} for user {rng.choice(['root', 'deploy'])}(uid=0) by (uid=0)\n")

    def search():
        return (f"\x1b[35m{next_name()}\x1b[0m\x1b[36m:\x1b[0m\x1b[32m{rng.randrange(2000)}\x1b[0m\x1b[36m:\x1b[0m"
                f"  static {rng.choice(words)} \x1b[1;31m{rng.choice(words)}\x1b[0m({rng.choice(words)});\n")

    def build():
        return f"[{place[0] % 1000}/1000] Building CXX object {next_name()[1:]}.o\n"

    makers = [(listing, 40), (journal, 30), (search, 30), (build, 60)]
    with path.open("w") as out:
        written = 0
        while written < size:
            make, most = makers[rng.randrange(4)]
            text = "".join(make() for _ in range(rng.randrange(5, most)))
            written += out.write(text)


def redraws(path: pathlib.Path, size: int) -> None:
    """W2: full screens drawn again and again, a falling rain of letters and a table of processes."""
    rng = random.Random(2)
    with path.open("w") as out:
        written = 0
        table = [[rng.randrange(99_999), rng.random() * 9, "root" if rng.random() < .5 else "www-data"] for _ in range(20)]
        while written < size:
            if rng.random() < .5:
                text = "".join(f"\x1b[{rng.randrange(1, 25)};{rng.randrange(1, 81)}H\x1b[{rng.choice([32, 92, 37])}m{chr(rng.randrange(33, 127))}"
                               for _ in range(120))
            else:
                for row in table:
                    row[1] = max(0, row[1] + rng.random() - .5)
                lines = [f"\x1b[{i + 5};1H\x1b[30;42m{row[0]:>7}\x1b[0m {row[2]:<9} 20   0 {row[0] * 7 % 999_999:>7} \x1b[1m{row[1]:>5.1f}\x1b[0m  0:00.{i:02} /usr/sbin/daemon --id={row[0]}\x1b[K"
                         for i, row in enumerate(table)]
                bars = "".join(f"\x1b[{i + 1};3H\x1b[1m{i}\x1b[0m[\x1b[32m{'|' * int(row[1] * 3):<30}\x1b[0m{row[1] * 10:>5.1f}%]" for i, row in enumerate(table[:3]))
                text = "\x1b[H" + bars + "".join(lines)
            written += out.write(text)


def noise(path: pathlib.Path, size: int) -> None:
    """W4: bytes that nothing compresses."""
    rng = random.Random(4)
    with path.open("wb") as out:
        for _ in range(size // MB):
            out.write(rng.randbytes(MB))


def typing(path: pathlib.Path, seed=3) -> None:
    """W3: an hour of a person at a shell, as timed writes: 851 KB in some 10,000 pieces."""
    rng, names = random.Random(seed), _paths(8000)
    vocabulary = ["".join(rng.choices("etaoinshrdlucmfwypvbgkjqxz", k=rng.randrange(2, 10))) for _ in range(1100)]
    weights = [1 / (i + 3) for i in range(len(vocabulary))]  # as in every language: few words are most of it
    at, total = 0.0, 0
    with path.open("wb") as out:
        def say(text: str):
            nonlocal total
            data = text.encode()
            total += len(data)
            out.write(f"{at:.6f} {len(data)}\n".encode() + data)

        while at < 3644 and total < 851_000:
            say("\x1b]0;deploy@web-1: ~\x07\x1b[01;32mdeploy@web-1\x1b[00m:\x1b[01;34m~\x1b[00m$ ")
            for letter in rng.choice(["ls -l ", "cat ", "grep -rn ", "less ", "git log ", "vim "]) + rng.choice(names):
                at += rng.expovariate(1 / .11)
                say(letter)
                if rng.random() < .04:
                    say("\b\x1b[K")
            at += .2
            say("\r\n")
            for _ in range(rng.randrange(0, 34)):
                at += rng.expovariate(1 / .01)
                say("".join(" ".join(rng.choices(vocabulary, weights, k=rng.randrange(4, 14))) + rng.choice(["", " " + rng.choice(names)]) + "\r\n"
                            for _ in range(rng.randrange(1, 10))))
            at += rng.expovariate(1 / 14)
