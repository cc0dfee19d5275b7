"""What the benchmarks share: rows, medians, the table in docs/benchmarks.md, --json and --check."""
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"


def build(*targets: str) -> pathlib.Path:
    """The release build's programs: what is measured is what is packaged."""
    for command in (["cmake", "--preset", "release"], ["cmake", "--build", "--preset", "release", "--target", *targets]):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stdout + done.stderr)
    return ROOT / "build" / "release" / "bin"


def machine() -> str:
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return f"{os.cpu_count()} x {model[1] if model else platform.machine()}, Linux {platform.release()}"


class Report:
    def __init__(self, bench: str):
        self.bench, self.rows = bench, []

    def add(self, name, value, unit, peer=None, peer_value=None, target=None, at_most=True):
        """`target` bounds the ratio where there is a peer, else the value."""
        ratio = value / peer_value if peer_value else None
        judged = value if ratio is None else ratio
        ok = None if target is None else (judged <= target if at_most else judged >= target)
        self.rows.append(dict(name=name, value=round(value, 4), unit=unit, peer=peer,
                              peer_value=None if peer_value is None else round(peer_value, 4),
                              ratio=None if ratio is None else round(ratio, 3), target=target, ok=ok))

    def table(self) -> str:
        lines = ["| what | value | beside | ratio | target | |", "|---|---|---|---|---|---|"]
        for row in self.rows:
            beside = f"{row['peer']} {row['peer_value']:g}" if row["peer"] else ""
            verdict = {True: "holds", False: "**missed**", None: ""}[row["ok"]]
            lines.append(f"| {row['name']} | {row['value']:g} {row['unit']} | {beside} | "
                         f"{'' if row['ratio'] is None else row['ratio']} | {'' if row['target'] is None else row['target']} | {verdict} |")
        return "\n".join(lines) + "\n"

    def end(self, arguments: list[str]) -> int:
        if "--json" in arguments:
            print(json.dumps(dict(bench=self.bench, machine=machine(), rows=self.rows)))
        else:
            print(f"{self.bench} on {machine()}\n\n{self.table()}", end="")
        if "--update-docs" in arguments:
            begin, close = f"<!-- bench/{self.bench} -->\n", f"<!-- end of bench/{self.bench} -->\n"
            before, _, rest = PAGE.read_text().partition(begin)
            PAGE.write_text(before + begin + f"On {machine()}.\n\n" + self.table() + close + rest.partition(close)[2])
        return 1 if "--check" in arguments and any(row["ok"] is False for row in self.rows) else 0


def median(values) -> float:
    return statistics.median(values)
