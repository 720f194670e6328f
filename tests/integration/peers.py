"""What the tests against real servers share: how a peer is had, run and killed, what it costs, the
numbered lines that it is fed, and the report that is left."""

import os
import pathlib
import re
import signal
import subprocess
import threading
import time
from dataclasses import dataclass

import pytest

from limpet import SOURCE

LINE_BYTES = 200
HAPROXY = "/usr/sbin/haproxy"


def peer(name):
    """The program's path. Built by tools/peers, once for a machine; the test is skipped without it."""
    done = subprocess.run([SOURCE / "tools/peers", name], capture_output=True, text=True)
    if done.returncode == 69:
        pytest.skip(f"NOT COMPARED WITH {name.upper()}: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# The lines, as tests/generator/line_generator.cc makes them.

def phrases():
    source = (SOURCE / "tests/generator/line_generator.cc").read_text(encoding="utf-8")
    return re.findall(r'"([^"]+)"', re.search(r"kPhrases = \{(.*?)\};", source, re.S)[1])


PHRASES = phrases()
MASK = 2**64 - 1


def line(number):
    text, state = f"line {number:09}", number
    while len(text) < LINE_BYTES:
        state = state + 0x9e3779b97f4a7c15 & MASK
        z = (state ^ state >> 30) * 0xbf58476d1ce4e5b9 & MASK
        z = (z ^ z >> 27) * 0x94d049bb133111eb & MASK
        text += " " + PHRASES[(z ^ z >> 31) % len(PHRASES)]
    text = text[:LINE_BYTES]
    return text[:-1] + "." if text[-1] == " " else text


class LineWriter:
    """Appends so many lines a second to a file, from 1 on, until it is stopped."""

    def __init__(self, path, rate):
        self.path = path
        self.rate = rate
        self.written = 0
        self.started = time.time()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        with open(self.path, "a", encoding="ascii", buffering=1 << 20) as file:
            while not self._stop.wait(0.05):
                due = int((time.time() - self.started) * self.rate) + 1
                for number in range(self.written + 1, due + 1):
                    file.write(line(number) + "\n")
                file.flush()
                self.written = due

    def stop(self):
        self._stop.set()
        self._thread.join()
        return self.written


@dataclass
class Cost:
    """What a program has taken so far, of /proc; its lives add up."""

    write_bytes: int = 0
    wchar: int = 0
    peak_kib: int = 0
    cpu_seconds: float = 0.0

    def add(self, pid):
        io = dict(re.findall(r"(\w+): (\d+)", pathlib.Path(f"/proc/{pid}/io").read_text()))
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        self.write_bytes += int(io["write_bytes"])
        self.wchar += int(io["wchar"])
        self.peak_kib = max(self.peak_kib, int(re.search(r"VmHWM:\s+(\d+)", status)[1]))
        self.cpu_seconds += (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


class Server:
    """A server that is killed, frozen and started again: always the same command, one log for all its
    lives."""

    def __init__(self, log, *command):
        self.log = pathlib.Path(log)
        self.command = [str(part) for part in command]
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def freeze(self):
        """It has its connections and takes new ones, but does nothing: only a time-out tells."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)


def table(headings, rows):
    return "".join("| " + " | ".join(map(str, row)) + " |\n"
                   for row in (headings, ["---"] * len(headings), *rows))


def report(config, name, text):
    """Prints it, whatever pytest captures, and leaves it in the build folder's reports/."""
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n\n" + text)
    if folder := os.environ.get("LIMPET_BINARY_DIR"):
        reports = pathlib.Path(folder) / "reports"
        reports.mkdir(exist_ok=True)
        (reports / f"{name}.md").write_text(text)
