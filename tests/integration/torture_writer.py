#!/usr/bin/env python3
"""Writes numbered lines into several files and rotates them by every method there is.

A process of its own, so that it writes on whatever else happens. What would destroy lines that nobody
has read yet, and that nobody could read again (copytruncate, removing, compressing), it asks first:

    -> {"ask": "gone", "family": "del", "upto": 5210}      have all lines up to this one arrived?
    -> {"ask": "fragile", "family": "gz", "upto": 5210}    is a reader at work that has the file open?
    -> {"ask": "found", "family": "one", "age": 2.5}       had a reader the time to find a file of this age?
    <- {"ok": true}                                        else the rotation waits, or takes place otherwise

What was asked `fragile` and granted may be unread: until those lines have arrived nobody may kill the
reader. A file that lost its name before anybody looked could not be found: then it keeps it a while
longer. For copytruncate the writer pauses: what comes between the copy and the truncation is lost by
nature. The last line printed is {"done": {"family": number of its last line, ...}, "rotations": {...}}.
A seed repeats the script; when it meets what depends on the machine.

A line: FAMILY NUMBER GENERATION TEXT. A generation is what was written into one file before it was
rotated, swapped or truncated.
"""

import argparse
import gzip
import json
import os
import pathlib
import random
import select
import shutil
import subprocess
import sys
import time

TICK = 0.02                    # Seconds between two writes.
ROTATED_MAX = 6                # Rotated files of one family that are kept at least.
OPEN_AGE = 2.5                 # Seconds after which a reader has had the time to open a new file.
LOGROTATE = "/usr/sbin/logrotate"


def texts():
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    from peers import line
    return [line(number)[15:] for number in range(997)]


def line_text(family, number, generation, pool):
    return f"{family} {number:07} {generation:04} {pool[number % len(pool)]}"


class Family:
    """One log file, its rotated ones, and how it is rotated."""

    methods = ()
    crlf = False

    def __init__(self, writer, name):
        self.writer = writer
        self.random = random.Random(f"{writer.options.seed}/{name}")
        self.name = name
        self.path = writer.folder / f"{name}.log"
        self.number = 0
        self.generation = 1
        self.due = 0.0                        # Lines that should be there by now.
        self.written = time.monotonic()
        self.opened = time.monotonic()
        self.rest = b""                       # What is missing of the last line.
        self.busy_until = 0.0
        self.next_rotation = time.monotonic() + self.random.uniform(0.5, 4.0)
        self.then = None                      # What follows when busy_until is over.
        self.deck = []
        self.rotations = {}
        self.last_of = {}                     # Generation -> number of its last line.
        self.file = None
        self.create()

    def create(self):
        self.file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        self.opened = time.monotonic()

    def reopen(self):
        os.close(self.file)
        self.create()
        self.new_generation()

    def new_generation(self):
        self.last_of[self.generation] = self.number
        self.generation += 1

    def line(self, number):
        ending = "\r\n" if self.crlf and number % 13 == 0 else "\n"
        return (line_text(self.name, number, self.generation, self.writer.pool) + ending).encode()

    def write_all(self, data):
        view = memoryview(data)
        while view:
            view = view[os.write(self.file, view):]

    def write(self):
        now = time.monotonic()
        self.due += self.writer.rate * min(now - self.written, 1.0)
        self.written = now
        count = int(self.due)
        self.due -= count
        lines = []
        for _ in range(count):
            self.number += 1
            lines.append(self.line(self.number))
        data = b"".join(lines)
        if count and self.random.random() < 0.02:  # Half a line now, the rest later.
            cut = self.random.randrange(1, len(lines[-1]))
            self.rest = data[-cut:]
            data = data[:-cut]
        self.write_all(data)

    def finish_line(self):
        if self.rest:
            self.write_all(self.rest)
        self.rest = b""

    def wait(self, seconds, then=None):
        self.busy_until = time.monotonic() + seconds
        self.then = then

    def tick(self, now):
        if now < self.busy_until:
            return
        if self.then is not None:
            then, self.then = self.then, None
            then()
            return
        if self.rest:
            self.finish_line()
            return
        self.write()
        if self.rest:
            # Mostly the rest comes soon; at times the file is rotated before it has come.
            if self.random.random() < 0.2 and self.can_split and self.found():
                self.rename_late()
                return
            self.wait(self.random.choice((0.03, 0.2, 0.7)))
        elif self.random.random() < 0.002:
            self.wait(self.random.uniform(0.3, 1.5))  # A pause of the application.
        elif now >= self.next_rotation and self.found():
            self.rotate()

    can_split = False

    def rotate(self):
        if not self.deck:
            self.deck = list(self.methods)
            self.random.shuffle(self.deck)
        method = self.deck.pop()
        self.next_rotation = time.monotonic() + self.random.uniform(3.0, 6.0)
        getattr(self, method)()

    def found(self):
        return self.writer.ask("found", self.name, 0, time.monotonic() - self.opened)

    def count(self, name):
        self.rotations[name] = self.rotations.get(name, 0) + 1
        self.note(name)

    def note(self, what):
        with open(self.writer.work / "events", "a", encoding="ascii") as events:
            events.write(f"{time.monotonic() - self.writer.started:6.1f} {self.name}: {what} after line {self.number} "
                         f"of generation {self.generation}\n")

    def ask(self, what, upto, then, otherwise, patience):
        """Goes on with `then` once it is granted; asks again until patience is out."""
        deadline = time.monotonic() + patience

        def again():
            if self.writer.ask(what, self.name, upto):
                then()
            elif time.monotonic() < deadline:
                self.wait(0.1, again)
            else:
                otherwise()
        again()

    def nothing(self):
        pass


class Plain(Family):
    """Rotated by the application itself."""

    methods = ("rename", "rename_late", "copytruncate", "delete", "delete_unread", "hard_link")
    crlf = True
    can_split = True

    def rotated(self, number):
        return self.path.with_name(f"{self.path.name}.{number}")

    def shift(self):
        """FILE.1 becomes FILE.2, and so on; the oldest goes once all of it has arrived."""
        newest = 1
        while self.rotated(newest).exists():
            newest += 1
        if newest > ROTATED_MAX and self.writer.ask("gone", self.name, self.last_of.get(self.generation - 1, 0)):
            newest -= 1
            self.rotated(newest).unlink()
        for number in range(newest - 1, 0, -1):
            os.rename(self.rotated(number), self.rotated(number + 1))

    def rename(self):
        self.count("rename")
        self.shift()
        os.rename(self.path, self.rotated(1))
        self.reopen()

    def rename_late(self):
        """The application goes on writing into the renamed file for a while."""
        self.count("rename, reopened late")
        self.shift()
        os.rename(self.path, self.rotated(1))
        late = time.monotonic() + self.random.uniform(0.1, 2.0)

        def go_on():
            self.finish_line()
            if time.monotonic() >= late:
                self.reopen()
                self.note("reopened")
                return
            self.write()
            self.finish_line()
            self.wait(TICK, go_on)
        self.wait(self.random.choice((0.0, 0.3)), go_on)

    def copytruncate(self):
        def now():
            self.count("copytruncate")
            self.shift()
            shutil.copyfile(self.path, self.rotated(1))
            os.ftruncate(self.file, 0)
            self.new_generation()
        self.ask("gone", self.number, now, self.nothing, 5.0)

    def remove(self):
        os.unlink(self.path)
        self.reopen()

    def delete(self):
        def now():
            self.count("delete, recreate")
            self.remove()
        self.ask("gone", self.number, now, self.rename, 5.0)

    def delete_unread(self):
        if time.monotonic() - self.opened < OPEN_AGE:
            self.rename()
            return

        def now():
            self.count("delete, recreate, unread")
            self.remove()
        self.ask("fragile", self.number, now, self.rename, 1.0)

    def hard_link(self):
        """A second name for the same file, in the sight of whoever reads."""
        self.count("hard link")
        other = self.path.with_name(f"{self.name}-link.log")
        os.link(self.path, other)
        rename_too = self.random.random() < 0.5
        over = time.monotonic() + self.random.uniform(1.0, 3.0)

        def go_on():
            self.write()
            self.finish_line()
            if time.monotonic() < over:
                self.wait(TICK, go_on)
                return
            if rename_too:
                self.shift()
                os.rename(self.path, self.rotated(1))
                self.reopen()
                self.note("renamed")
            os.unlink(other)
            self.note("second name removed")
        go_on()


class Symlink(Family):
    """The name is a symlink that is swapped to a new target."""

    methods = ("swap", "swap_late")

    def target(self):
        return self.path.with_name(f"{self.name}-{self.generation:04}.txt")

    def create(self):
        target = self.target()
        self.file = os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        new = self.path.with_suffix(".new")
        os.symlink(target.name, new)
        os.rename(new, self.path)
        self.opened = time.monotonic()

    def reopen(self):
        os.close(self.file)
        self.new_generation()
        self.create()

    def swap(self):
        self.count("symlink swapped")
        self.reopen()

    def swap_late(self):
        """The new target is there, and empty, before the last lines come into the old one."""
        self.count("symlink swapped, written late")
        old, self.file = self.file, None
        self.new_generation()
        self.create()
        new, self.file = self.file, old
        self.generation -= 1
        for _ in range(5):
            self.number += 1
            self.write_all(self.line(self.number))
        self.generation += 1
        self.last_of[self.generation - 1] = self.number
        os.close(old)
        self.file = new


class Logrotate(Family):
    """Rotated by the real logrotate, with the directives given."""

    methods = ("logrotate",)

    def __init__(self, writer, name, title, *directives, gone=None, fragile=False, truncates=False, late=False):
        super().__init__(writer, name)
        self.title = title
        self.gone, self.fragile, self.truncates, self.late = gone, fragile, truncates, late
        self.config = writer.work / f"{name}.conf"
        # No su, no mail; the folder is ours alone.
        self.config.write_text(f"{self.path} {{\n" + "".join(f"    {d}\n" for d in directives)
                               + "    rotate 1000\n    missingok\n    ifempty\n}\n")
        self.config.chmod(0o600)
        self.state = writer.work / f"{name}.state"

    def run(self):
        done = subprocess.run([LOGROTATE, "-f", "-s", self.state, self.config], capture_output=True, text=True)
        if done.returncode != 0 or done.stderr.strip():
            raise RuntimeError(f"logrotate: {done.stderr}")
        self.count(self.title)

    def logrotate(self):
        def now():
            self.run()
            if self.truncates:
                self.new_generation()
                return
            if not self.late:
                self.reopen()
                return
            late = time.monotonic() + self.random.uniform(0.05, 1.0)

            def go_on():
                self.write()
                self.finish_line()
                if time.monotonic() < late:
                    self.wait(TICK, go_on)
                else:
                    self.reopen()
            go_on()
        if self.fragile and self.random.random() < 0.5 and time.monotonic() - self.opened > OPEN_AGE:
            self.ask("fragile", self.number, now, self.nothing, 1.0)
        elif self.gone is None:
            now()
        else:
            self.ask("gone", self.gone(self), now, self.nothing, 5.0)


class Writer:
    def __init__(self, options):
        self.options = options
        self.folder = pathlib.Path(options.folder)
        self.work = pathlib.Path(options.work)
        self.pool = texts()
        self.started = time.monotonic()
        self.families = [
            Plain(self, "one"), Plain(self, "two"), Symlink(self, "sym"),
            Logrotate(self, "create", "logrotate create", "create", late=True),
            Logrotate(self, "copy", "logrotate copytruncate", "copytruncate", truncates=True,
                      gone=lambda f: f.number),
            Logrotate(self, "delay", "logrotate compress delaycompress", "compress", "delaycompress", "create",
                      late=True, gone=lambda f: f.last_of.get(f.generation - 1, 0)),
            Logrotate(self, "gz", "logrotate compress", "compress", "create", fragile=True,
                      gone=lambda f: f.number),
            Logrotate(self, "date", "logrotate dateext", "dateext", "dateformat -%Y%m%d-%s", "create", late=True),
        ]
        self.rate = options.rate / len(self.families)

    def ask(self, what, family, upto, age=0.0):
        if self.options.alone:
            return True
        print(json.dumps({"ask": what, "family": family, "upto": upto, "age": age}), flush=True)
        return json.loads(sys.stdin.readline())["ok"]

    def run(self):
        end = time.monotonic() + self.options.seconds
        last = time.monotonic()
        while last < end:
            time.sleep(TICK)
            if not self.options.alone and select.select([sys.stdin], [], [], 0)[0]:
                break  # Told to stop.
            now = time.monotonic()
            for family in self.families:
                family.tick(now)
            last = now
        # Whatever was going on comes to its end.
        for family in self.families:
            deadline = time.monotonic() + 10
            while (family.then is not None or family.rest) and time.monotonic() < deadline:
                time.sleep(TICK)
                if time.monotonic() < family.busy_until:
                    continue
                then, family.then = family.then, None
                if then is not None:
                    then()
                else:
                    family.finish_line()
        rotations = {}
        for family in self.families:
            for name, count in family.rotations.items():
                rotations[name] = rotations.get(name, 0) + count
        print(json.dumps({"done": {f.name: f.number for f in self.families}, "rotations": rotations}), flush=True)


def lines_on_disk(folder):
    """The lines of all files there are, for a look at what the writer has left: name -> lines."""
    found = {}
    for path in sorted(pathlib.Path(folder).iterdir()):
        data = path.read_bytes()
        found[path.name] = (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", required=True, help="for the log files")
    parser.add_argument("--work", required=True, help="for what logrotate needs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=5000, help="lines a second, of all files together")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--alone", action="store_true", help="ask nobody")
    Writer(parser.parse_args()).run()


if __name__ == "__main__":
    main()
