"""The torture of a program that reads log files: a writer that rotates them by every method, kills,
graceful stops and an endpoint that goes away, and at the end the account of every line.

The program under test is anything with start(), kill() and stop(timeout); see Limpet's and the
Collector's in the tests. A seed repeats the script of the writer and of the events, not their timing.
"""

import json
import os
import random
import re
import select
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest

from endpoint import Answer, Endpoint
from limpet import SOURCE, free_port
from torture_writer import LOGROTATE, line_text, texts

WRITER = SOURCE / "tests/integration/torture_writer.py"
LINE = re.compile(r"([a-z]+) (\d{7}) (\d{4}) ")
POOL = texts()
FOUND_AFTER = 1.5              # Seconds in which a reader at work finds a file.
SAMPLES = 5                    # Of each kind of fault, shown.


@dataclass
class Account:
    """What has arrived, of what was written."""

    seen: dict = field(default_factory=dict)         # (family, number) -> uid of its first arrival.
    upto: Counter = field(default_factory=Counter)   # Family -> all lines up to this one are there.
    newest: dict = field(default_factory=dict)       # (family, generation) -> newest number.
    newest_of: Counter = field(default_factory=Counter)
    uids: dict = field(default_factory=dict)         # uid -> (family, number)
    arrived: int = 0
    faults: Counter = field(default_factory=Counter)
    samples: dict = field(default_factory=dict)
    has_uids: bool = True

    def fault(self, kind, what):
        self.faults[kind] += 1
        shown = self.samples.setdefault(kind, [])
        if len(shown) < SAMPLES:
            shown.append(what)

    def take(self, request):
        if request.signal != "logs" or not request.complete or request.answer.status != 200:
            return
        if request.answer.never or request.answer.reset:
            return
        for resource in request.message.resource_logs:
            for scope in resource.scope_logs:
                for record in scope.log_records:
                    if not record.event_name:
                        self.add(record)
        request.body = b""  # It may be a long test.

    def add(self, record):
        self.arrived += 1
        text = record.body.string_value
        match = LINE.match(text)
        if match is None:
            self.fault("foreign", text[:60])
            return
        family, number, generation = match[1], int(match[2]), int(match[3])
        if text != line_text(family, number, generation, POOL):
            self.fault("foreign", text[:60] + "…" + text[-20:])
            return
        uid = next((a.value.string_value for a in record.attributes if a.key == "log.record.uid"), "")
        key = (family, number)
        if key in self.seen:
            again = uid != "" and self.seen[key] == uid
            self.faults["repeated"] += 1
            if not again:
                self.fault("repeated under another uid",
                           f"{family} {number} of generation {generation}: {self.seen[key]}, then {uid}")
            return
        self.seen[key] = uid
        if uid and self.uids.setdefault(uid, key) != key:
            self.fault("one uid for two lines", f"{uid}: {self.uids[uid]}, {key}")
        if self.has_uids and not uid:
            self.fault("no uid", text[:40])
        if number < self.newest.get((family, generation), 0):
            self.fault("out of order in a generation", f"{family} {number} of generation {generation} after "
                       f"{self.newest[family, generation]}")
        self.newest[family, generation] = max(number, self.newest.get((family, generation), 0))
        if number < self.newest_of[family]:
            self.faults["out of order in a family"] += 1
        self.newest_of[family] = max(number, self.newest_of[family])
        while (family, self.upto[family] + 1) in self.seen:
            self.upto[family] += 1

    def lost(self, written):
        """Family -> ranges of numbers that have not arrived."""
        missing = {}
        for family, last in written.items():
            for number in range(self.upto[family] + 1, last + 1):
                if (family, number) in self.seen:
                    continue
                ranges = missing.setdefault(family, [])
                if ranges and ranges[-1][1] == number - 1:
                    ranges[-1][1] = number
                else:
                    ranges.append([number, number])
        return missing


class Network:
    """The endpoint, which goes away in different ways."""

    WAYS = ("refused", "503", "silent")

    def __init__(self):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.taken = []
        self.endpoint = Endpoint(port=self.port).start()
        self.up = True

    def cut(self, way):
        self.up = False
        if way == "refused":
            self.taken += self.drain()
            self.endpoint.stop()
            self.taken += self.drain()
            return
        self.endpoint.default = Answer(503) if way == "503" else Answer(never=True)

    def heal(self, way):
        if way == "refused":
            self.endpoint = Endpoint(port=self.port).start()
        else:
            self.endpoint.default = Answer()
            self.endpoint.drop_connections()
        self.up = True

    def drain(self):
        """The requests since the last call."""
        with self.endpoint._changed:
            requests, self.endpoint._requests = self.endpoint._requests, []
        return requests

    def take(self, account):
        requests, self.taken = self.taken + self.drain(), []
        for request in requests:
            account.take(request)
        return len(requests)

    def stop(self):
        self.endpoint.stop()


class Torture:
    """One run. events: of "kill", "stop", "cut", "cut and kill", dealt in turn."""

    EVENTS = ("kill", "stop", "cut", "kill", "cut and kill", "cut and stop")

    def __init__(self, program, network, folder, seed, seconds, rate=5000, settle=30.0, events=EVENTS,
                 has_uids=True, lossy=False):
        if not os.access(LOGROTATE, os.X_OK):
            pytest.skip(f"NOT TORTURED: there is no {LOGROTATE} (tools/setup test)")
        self.program, self.network, self.seed, self.seconds = program, network, seed, seconds
        self.folder = folder
        self.random = random.Random(seed)
        self.settle, self.events = settle, events
        self.lossy = lossy                   # A line that was passed over is not waited for.
        self.account = Account(has_uids=has_uids)
        self.fragile = {}                    # Family -> its lines up to this may not be readable again.
        self.lives = []                      # [from, to] of each.
        self.quiet = True                    # No event is going on or about to.
        self.done = None
        self.history = []
        self.started = time.monotonic()
        (folder / "logs").mkdir(mode=0o700)
        (folder / "rotate").mkdir(mode=0o700)
        self.writer = subprocess.Popen(
            [sys.executable, "-B", WRITER, "--folder", folder / "logs", "--work", folder / "rotate",
             "--seed", str(seed), "--rate", str(rate), "--seconds", str(seconds)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def note(self, what):
        self.history.append(f"{time.monotonic() - self.started:6.1f} {what}")

    # The writer's questions.

    def listen(self):
        while self.done is None and select.select([self.writer.stdout], [], [], 0)[0]:
            line = self.writer.stdout.readline()
            assert line, f"the writer has ended: {self.writer.wait()}"
            message = json.loads(line)
            if "done" in message:
                self.done = message
                return
            ok = self.allowed(message)
            self.writer.stdin.write(json.dumps({"ok": ok}) + "\n")

    @property
    def running(self):
        return bool(self.lives) and self.lives[-1][1] is None

    def found(self, age):
        now = time.monotonic()
        return any(min(end or now, now) - max(begin, now - age) >= FOUND_AFTER for begin, end in self.lives)

    def allowed(self, message):
        family, upto = message["family"], message["upto"]
        if message["ask"] == "found":
            return self.found(message["age"])
        upto_now = (self.account.newest_of if self.lossy else self.account.upto)[family]
        if message["ask"] == "gone":
            return upto_now >= upto
        # What was read last second is read now, too.
        if not (self.running and self.quiet and self.network.up) or upto_now < max(upto - 1500, 1):
            return False
        self.fragile[family] = upto
        self.note(f"{family}: lines up to {upto} may be unread")
        return True

    def step(self):
        """A turn: what has arrived, what the writer wants."""
        self.network.take(self.account)
        self.listen()
        for family, upto in list(self.fragile.items()):
            if (self.account.newest_of if self.lossy else self.account.upto)[family] >= upto:
                del self.fragile[family]
        time.sleep(0.02)

    def spend(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.step()

    # Events.

    def start(self):
        self.program.start()
        self.lives.append([time.monotonic(), None])

    def end(self, how):
        # Nobody could read again what is in files that are gone.
        patience = time.monotonic() + 30.0
        while self.fragile and self.network.up and time.monotonic() < patience:
            self.step()
        if self.fragile:
            self.note(f"not {how}: still unread {self.fragile}")
            return
        self.note(how)
        if how == "kill":
            self.program.kill()
        else:
            self.program.stop(20.0)
        self.lives[-1][1] = time.monotonic()
        self.spend(self.random.choice((0.0, 0.5, 2.0)))
        self.start()
        self.note("started")

    def event(self, name):
        self.quiet = False
        if name.startswith("cut"):
            patience = time.monotonic() + 30.0
            while self.fragile and time.monotonic() < patience:
                self.step()
            way = self.random.choice(Network.WAYS)
            self.note(f"network: {way}")
            self.network.cut(way)
            self.spend(self.random.uniform(2.0, 5.0))
            if name != "cut":
                self.end(name.removeprefix("cut and "))
                self.spend(self.random.uniform(0.0, 2.0))
            self.network.heal(way)
            self.note("network: healed")
        else:
            self.end(name)
        self.quiet = True

    def run(self):
        """Until all has arrived that was written, or nothing comes any more."""
        deck = []
        self.start()
        try:
            while self.done is None:
                self.spend(self.random.uniform(1.5, 5.0))
                if self.done is not None or time.monotonic() - self.started > self.seconds - 5.0:
                    self.spend(0.2)
                    continue
                if not deck:
                    deck = list(self.events)
                    self.random.shuffle(deck)
                self.event(deck.pop())
            self.note("written")
            last, quiet_since = self.account.arrived, time.monotonic()
            while any(self.account.upto[f] < n for f, n in self.done["done"].items()):
                self.step()
                if self.account.arrived != last:
                    last, quiet_since = self.account.arrived, time.monotonic()
                if time.monotonic() - quiet_since > self.settle:
                    break
            self.spend(1.0)
            self.note("settled")
        finally:
            self.writer.kill()
            self.writer.wait()
        return self

    @property
    def written(self):
        return sum(self.done["done"].values())

    def summary(self):
        lost = self.account.lost(self.done["done"])
        count = sum(b - a + 1 for ranges in lost.values() for a, b in ranges)
        faults = self.account.faults
        lines = [f"seed {self.seed}: {self.written} lines, {count} lost, {faults['repeated']} repeated "
                 f"({faults['repeated under another uid']} of them under another uid or none), "
                 f"{faults['foreign']} foreign, {faults['out of order in a generation']} out of order in a "
                 f"generation, {faults['out of order in a family']} in a family",
                 f"rotations: {self.done['rotations']}"]
        events = (self.folder / "rotate/events").read_text().splitlines()
        for family, ranges in lost.items():
            lines.append(f"lost of {family}: " + ", ".join(f"{a} to {b}" for a, b in ranges[:SAMPLES]))
            lines += [event for event in events if f" {family}:" in event]
        for kind, samples in self.account.samples.items():
            lines.append(f"{kind}, {faults[kind]} times: " + "; ".join(samples))
        return "\n".join([*lines, *self.history])

    @property
    def lost(self):
        return sum(b - a + 1 for ranges in self.account.lost(self.done["done"]).values() for a, b in ranges)
