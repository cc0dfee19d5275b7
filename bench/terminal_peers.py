"""Who else records terminals: their commands, and sudo built from Debian's source, since Debian's own build knows no TLS."""
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

import report

PACKAGES = ["ttyrec", "asciinema", "tlog"]
SUDO = report.ROOT / "build" / "peers" / "sudo"
SUDO_NEEDS = ["build-essential", "libssl-dev", "zlib1g-dev", "dpkg-dev"]
# tlog-rec ends at once where there is no utmp(5) for it to write to; so it is given a /run of its own.
TLOG_ROOM = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /run && mkdir /run/tlog && : >/run/utmp && exec "$@"', "tlog"]
SOURCES = "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main\n"


def install() -> None:
    """What cannot be had is left out, and said to be."""
    subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES], capture_output=True)
    if not (SUDO / "bin" / "sudo").exists():
        build_sudo()


def build_sudo() -> None:
    """Under build/ with its own configuration: the host's sudo, if it has one, is not touched."""
    subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *SUDO_NEEDS], capture_output=True)
    work = SUDO.with_name("sudo-build")
    shutil.rmtree(work, ignore_errors=True)
    (work / "lists" / "partial").mkdir(parents=True)
    (work / "sources.list").write_text(SOURCES)
    apt = f"apt-get -qq -o Dir::Etc::sourcelist={work}/sources.list -o Dir::Etc::sourceparts=- -o Dir::State::lists={work}/lists"
    steps = f"""set -e
cd {work}
{apt} update
{apt} source sudo
cd sudo-*/
./configure -q --prefix={SUDO} --sysconfdir={SUDO}/etc --with-rundir={SUDO}/run --with-vardir={SUDO}/var --enable-openssl --without-pam --disable-nls
make -s -j2
make -s install"""
    if subprocess.run(["sh", "-c", steps], stdout=subprocess.DEVNULL, stderr=(work / "log").open("w")).returncode != 0:
        print(f"bench/recorder: no sudo to compare with; see {work}/log", file=sys.stderr)
        shutil.rmtree(SUDO, ignore_errors=True)


class LogServer:
    """sudo_logsrvd over TLS, which compresses what it is sent."""

    def __init__(self, root: pathlib.Path):
        self.folder, self.at = root / "logsrvd", "127.0.0.1:30399"
        self.certificate = root / "logsrvd.pem"
        key, configuration = root / "logsrvd.key", root / "logsrvd.conf"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", key, "-out", self.certificate, "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        configuration.write_text(f"[server]\nlisten_address = {self.at}(tls)\ntls_key = {key}\ntls_cert = {self.certificate}\n"
                                 f"tls_cacert = {self.certificate}\ntls_checkpeer = false\npid_file =\n"
                                 f"[iolog]\niolog_dir = {self.folder}\niolog_compress = true\n[eventlog]\nlog_type = none\n")
        self.process = subprocess.Popen([SUDO / "sbin" / "sudo_logsrvd", "-n", "-f", configuration], stderr=subprocess.DEVNULL)
        host, port = self.at.split(":")
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex((host, int(port))) == 0:
                    return
            time.sleep(0.05)
        sys.exit("bench/recorder: sudo_logsrvd does not listen")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


class Peers:
    def __init__(self, load: str, root: pathlib.Path, is_quick: bool):
        self.load, self.folder, self.is_quick = load, root / "out", is_quick
        self.has_sudo = not is_quick and os.geteuid() == 0 and (SUDO / "bin" / "sudo").exists()
        self.server = LogServer(root) if self.has_sudo else None

    def commands(self, workload: pathlib.Path) -> dict[str, list[str]]:
        cat, folder = f"cat {workload}", self.folder
        found = {"no recording": ["cat", str(workload)],
                 "relay": [self.load, "relay", "cat", str(workload)],
                 "cairn": [self.load, "record", str(folder), "cat", str(workload)],
                 "script": ["script", "-qf", "-O", str(folder / "typescript"), "-T", str(folder / "timing"), "-c", cat]}
        if not self.is_quick:
            found |= {"ttyrec": ["ttyrec", "-e", cat, str(folder / "ttyrec")],
                      "asciinema": ["asciinema", "rec", "-q", "--overwrite", "-c", cat, str(folder / "cast")],
                      "tlog-rec": TLOG_ROOM + ["tlog-rec", "-w", "file", "-o", str(folder / "tlog"), "cat", str(workload)]}
        if self.has_sudo:
            found |= {name: [str(SUDO / "bin" / "sudo"), "cat", str(workload)] for name in ("sudo, gzip", "sudo_logsrvd, TLS")}
        return {name: command for name, command in found.items() if shutil.which(command[len(TLOG_ROOM) if name == "tlog-rec" else 0])}

    def prepare(self, name: str) -> None:
        """Before each run of it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        if not name.startswith("sudo"):
            return
        where = f"log_servers={self.server.at}(tls), log_server_cabundle={self.server.certificate}" if "logsrvd" in name else f"compress_io, iolog_dir={self.folder}"
        sudoers = SUDO / "etc" / "sudoers"
        sudoers.unlink(missing_ok=True)
        sudoers.write_text(f"Defaults log_output, use_pty, !syslog, !lecture, {where}\nroot ALL=(ALL) NOPASSWD: ALL\n")
        sudoers.chmod(0o440)

    def stored_bytes(self, name: str) -> int:
        """Of the last run; the server may still be writing what sudo has sent."""
        folder = self.server.folder if "logsrvd" in name else self.folder
        stored = -1
        while stored != (stored := sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())) and "logsrvd" in name:
            time.sleep(0.5)
        if "logsrvd" in name:
            shutil.rmtree(folder)
        return stored

    def server_pid(self, name: str) -> int | None:
        return self.server.process.pid if "logsrvd" in name else None

    def end(self) -> None:
        if self.server:
            self.server.end()
