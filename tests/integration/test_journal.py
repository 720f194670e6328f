"""Journals that systemd-journal-remote writes, read by limpet and by journalctl: field by field the same."""

import json
import lzma
import os
import pathlib
import random
import struct
import subprocess

import pytest

from limpet import until

BINARY = pathlib.Path(os.environ.get("LIMPET_BINARY_DIR") or pathlib.Path(__file__).parents[2] / "build/host")
TOOL = BINARY / "journal-tool"
REMOTE = next((path for path in map(pathlib.Path, ("/usr/lib/systemd/systemd-journal-remote",
                                                   "/lib/systemd/systemd-journal-remote")) if path.exists()), None)
SEED = int(os.environ.get("LIMPET_SEED", "20261127"))
T = 1_700_000_000_000_000
FIELD_MAX = 16 * 1024      # Of what limpet keeps of a field, by default.
PLAIN_MAX = 64 * 1024      # Of a zstd field with its name.

pytestmark = [
    pytest.mark.skipif(not TOOL.exists(), reason="a build without journald"),
    pytest.mark.skipif(REMOTE is None, reason="NOT COMPARED WITH JOURNALCTL: no systemd-journal-remote here"),
]

NUMBERS = {"SYSLOG_FACILITY": "syslog.facility", "_PID": "process.pid", "TID": "thread.id",
           "CODE_LINE": "code.line.number"}
TEXTS = {"SYSLOG_IDENTIFIER": "service.name", "SYSLOG_PID": "syslog.procid", "_EXE": "process.executable.path",
         "_COMM": "process.executable.name", "_CMDLINE": "process.command_line", "_HOSTNAME": "host.name",
         "CODE_FILE": "code.file.path", "CODE_FUNC": "code.function.name"}
LEFT_OUT = {"_BOOT_ID", "_MACHINE_ID", "_SOURCE_MONOTONIC_TIMESTAMP"}
SEVERITIES = [21, 19, 18, 17, 13, 10, 9, 5]


def export(entry):
    """(number, [(name, bytes)]) in the export format."""
    number, fields = entry
    out = (f"__REALTIME_TIMESTAMP={T + number * 1000}\n__MONOTONIC_TIMESTAMP={number + 1}\n"
           "_BOOT_ID=0123456789abcdef0123456789abcdef\n").encode()
    for name, value in fields:
        if b"\n" in value or not value.isascii() or b"\0" in value:
            out += name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"
        else:
            out += name.encode() + b"=" + value + b"\n"
    return out + b"\n"


def random_value(rng):
    kind = rng.randrange(12)
    if kind == 0:
        return rng.randbytes(rng.randrange(200))
    if kind == 1:
        return rng.choice([b"", b"\n", b"\0", b"\xff", "\u20ac".encode(), "\U0001f41a".encode()[:3]])
    if kind == 2:
        return bytes(rng.choice(b"ab \n") for _ in range(rng.randrange(500, 6000)))
    if kind == 3:
        return ("\u00e9\u20ac" * rng.randrange(1, 300)).encode()
    return f"word {rng.randrange(50)} and {rng.randrange(1000)}".encode()


def random_entries(rng, count):
    entries = []
    for number in range(count):
        fields = [("MESSAGE", random_value(rng)), ("PRIORITY", str(rng.randrange(8)).encode()),
                  ("_PID", str(rng.randrange(1, 99999)).encode()), ("_COMM", rng.choice([b"sshd", b"cron", b"app"])),
                  ("_SYSTEMD_UNIT", rng.choice([b"ssh.service", b"cron.service"])),
                  ("SYSLOG_IDENTIFIER", b"app"), ("_HOSTNAME", b"box"), ("_MACHINE_ID", b"0" * 32)]
        for _ in range(rng.randrange(6)):
            name = rng.choice(["EXTRA", "_CMDLINE", "CODE_LINE", "SYSLOG_FACILITY", "_EXE", "LONG_" + "N" * 50,
                               "_SOURCE_MONOTONIC_TIMESTAMP", f"F{rng.randrange(100)}"])
            fields.append((name, random_value(rng)))
        if rng.randrange(40) == 0:
            fields.append(("BIG", (b"0123456789" if rng.randrange(2) else b"\xe2\x82\xac") * rng.randrange(1000, 9000)))
        if rng.randrange(100) == 0:
            fields += [("MANY", str(n).encode()) for n in range(rng.randrange(2, 60))]
        if rng.randrange(3) == 0:
            fields.append(("_SOURCE_REALTIME_TIMESTAMP", str(T + number * 1000 - 7).encode()))
        if rng.randrange(20) == 0:
            fields = fields[2:]
        rng.shuffle(fields)
        entries.append((number, fields))
    return entries


def write(path, entries, *, compact, keyed, compress):
    environment = {**os.environ, "SYSTEMD_JOURNAL_COMPACT": str(int(compact)),
                   "SYSTEMD_JOURNAL_KEYED_HASH": str(int(keyed))}
    path.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([REMOTE, f"--compress={'yes' if compress else 'no'}", "-o", path, "-"],
                          input=b"".join(map(export, entries)), capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr


def by_journalctl(folder):
    """Each entry as {name: [bytes]}; journalctl gives a text, a list of bytes, or a list of these."""
    done = subprocess.run(["journalctl", "-o", "json", "--all", "--no-pager", "--directory", folder],
                          capture_output=True, check=True)
    entries = []
    for line in done.stdout.splitlines():
        entry = {}
        for name, value in json.loads(line).items():
            many = value if isinstance(value, list) and any(not isinstance(v, int) for v in value) else [value]
            entry[name] = [v.encode() if isinstance(v, str) else bytes(v) for v in many]
        entries.append(entry)
    return entries


def by_limpet(folder):
    done = subprocess.run([TOOL, folder], capture_output=True, check=True, text=True)
    assert done.stderr.splitlines()[-1] == "damaged 0 missing 0", done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def number_of(value):
    """As limpet reads one: an optional minus, digits, nothing else."""
    digits = value[1:] if value[:1] == b"-" else value
    if len(digits) < 100 and digits.isdigit() and -2**63 <= int(value) < 2**63:
        return int(value)
    return None


def cut(value):
    if len(value) <= FIELD_MAX:
        return value, False
    value = value[:FIELD_MAX]
    for back in (1, 2, 3):  # Not within a letter.
        c = value[-back]
        if c & 0xC0 == 0x80:
            continue
        if (4 if c >= 0xF0 else 3 if c >= 0xE0 else 2 if c >= 0xC0 else 1) > back:
            value = value[:-back]
        break
    return value, True


def expected(entry, undecoded):
    """What limpet is to make of an entry, with lists sorted. Fields in `undecoded` are not to be read."""
    record = {"time": int(entry["__REALTIME_TIMESTAMP"][0]) * 1000, "severity": 0, "body": ""}
    attributes = {}
    for name, values in entry.items():
        if name.startswith("__") or name in LEFT_OUT:
            continue
        for n, value in enumerate(values):
            if name in undecoded:
                record["undecoded"] = True
                continue
            value, was_cut = cut(value)
            number = number_of(value)
            if name == "PRIORITY" and n == 0 and number is not None and 0 <= number <= 7:
                record["severity"] = SEVERITIES[number]
                continue
            if name == "_SOURCE_REALTIME_TIMESTAMP" and number is not None and number > 0:
                record["time"] = number * 1000
                continue
            if name in NUMBERS and number is not None:
                attributes.setdefault(NUMBERS[name], []).append(number)
                continue
            if was_cut:
                record["truncated"] = True
            if name == "MESSAGE" and n == 0:
                record["body"] = value.hex()
                continue
            text = value.decode("utf-8", "replace").encode()
            if text != value:
                record["invalid_utf8"] = True
            key = NUMBERS.get(name) or TEXTS.get(name) or "journald." + name.lower()
            attributes.setdefault(key, []).append(text.hex())
    record["attributes"] = {key: in_order(values) if len(values) > 1 else values[0]
                            for key, values in attributes.items()}
    return record


def in_order(values):
    return sorted(values, key=str)


def none(_entry):
    return frozenset()


def too_large(entry):
    """The fields that have no room when decompressed."""
    return {name for name, values in entry.items() for value in values if len(name) + 1 + len(value) > PLAIN_MAX}


def compare(folder, undecoded=none):
    """undecoded: which fields of an entry cannot be read. Returns how many entries there are."""
    theirs, ours = by_journalctl(folder), by_limpet(folder)
    assert len(theirs) == len(ours)
    for entry, record in zip(theirs, ours):
        for key in ("seqnum", "seqnum_id"):
            del record[key]
        record["attributes"] = {key: in_order(value) if isinstance(value, list) else value
                                for key, value in record["attributes"].items()}
        wanted = expected(entry, undecoded(entry))
        if record != wanted:  # pytest would look for hours for how they differ.
            part = next(key for key in {**record, **wanted} if record.get(key) != wanted.get(key))
            pytest.fail(f"{part}: {str(record.get(part))[:2000]}\n  journalctl: {str(wanted.get(part))[:2000]}")
    return len(ours)


@pytest.mark.parametrize("compact", [False, True], ids=["regular", "compact"])
@pytest.mark.parametrize("keyed", [False, True], ids=["jenkins", "siphash"])
@pytest.mark.parametrize("compress", [False, True], ids=["plain", "zstd"])
def test_random_entries(compact, keyed, compress, tmp_path):
    print("seed", SEED)
    rng = random.Random(SEED + compact + 2 * keyed + 4 * compress)
    entries = random_entries(rng, 3000)
    write(tmp_path / "j/a.journal", entries, compact=compact, keyed=keyed, compress=compress)
    assert compare(tmp_path / "j", too_large if compress else none) == len(entries)


def test_files_of_several_machines_come_in_order_of_time(tmp_path):
    entries = random_entries(random.Random(SEED), 600)
    for name in "abc":
        write(tmp_path / f"j/{name}.journal", [entry for entry in entries if "abc"[entry[0] % 3] == name],
              compact=name == "a", keyed=True, compress=False)
    assert compare(tmp_path / "j") == len(entries)


def test_a_field_larger_than_the_bound_is_marked(tmp_path):
    entries = [(n, [("MESSAGE", b"m"), ("BIG", b"x" * size)])
               for n, size in enumerate([PLAIN_MAX - 4, PLAIN_MAX - 3, 1_000_000])]
    write(tmp_path / "j/a.journal", entries, compact=True, keyed=True, compress=True)
    compare(tmp_path / "j", too_large)


def lz4(payload):
    """Of the form NAME=xxxx…: some literals, one match with the byte before, the last bytes as literals."""
    head, run, tail = payload[:20], len(payload) - 25, payload[-5:]

    def extended(length):
        return b"\xff" * ((length - 15) // 255) + bytes([(length - 15) % 255])
    return (struct.pack("<Q", len(payload)) + b"\xff" + extended(20) + head + b"\x01\x00" + extended(run - 4)
            + b"\x50" + tail)


def compress_in_place(path, flag, pack):
    """Stores the long payloads of an uncompressed file otherwise, where they are. Returns how many."""
    journal = bytearray(path.read_bytes())
    incompatible, = struct.unpack_from("<I", journal, 12)
    at, = struct.unpack_from("<Q", journal, 88)
    end, = struct.unpack_from("<Q", journal, 136)  # The last object.
    head = 72 if incompatible & 16 else 64
    changed = 0
    while at < end:
        size, = struct.unpack_from("<Q", journal, at + 8)
        if journal[at] == 1 and size > 500:
            packed = pack(bytes(journal[at + head:at + size]))
            assert len(packed) < size - head
            journal[at + 1] = flag
            struct.pack_into("<Q", journal, at + 8, head + len(packed))
            journal[at + head:at + head + len(packed)] = packed
            changed += 1
        at += (size + 7) // 8 * 8
    struct.pack_into("<I", journal, 12, incompatible | flag)
    path.write_bytes(journal)
    return changed


@pytest.mark.parametrize("compact", [False, True], ids=["regular", "compact"])
@pytest.mark.parametrize("flag, pack", [(1, lzma.compress), (2, lz4)], ids=["xz", "lz4"])
def test_what_older_journals_are_compressed_with(compact, flag, pack, tmp_path):
    rng = random.Random(SEED)
    entries = [(n, [("MESSAGE", b"a%d" % n), ("RUN", rng.choice([b"x", b"y", b"z"]) * rng.randrange(600, 9000)),
                    ("B", b"b")]) for n in range(300)]
    path = tmp_path / "j/a.journal"
    write(path, entries, compact=compact, keyed=True, compress=False)
    assert compress_in_place(path, flag, pack) > 200
    assert compare(tmp_path / "j", lambda entry: {"RUN"} if flag == 1 else frozenset()) == len(entries)


def test_a_file_that_was_cut_anywhere(tmp_path):
    entries = random_entries(random.Random(SEED), 200)
    path = tmp_path / "whole.journal"
    write(path, entries, compact=True, keyed=True, compress=True)
    whole = path.read_bytes()
    end, = struct.unpack_from("<Q", whole, 136)
    rng = random.Random(SEED)
    (tmp_path / "j").mkdir()
    for _ in range(30):
        (tmp_path / "j/cut.journal").write_bytes(whole[:rng.randrange(end)])
        done = subprocess.run([TOOL, tmp_path / "j"], capture_output=True, check=True, text=True)
        for line in done.stdout.splitlines():
            json.loads(line)


def arrived(endpoint):
    """[(uid, body)] of all that has, in order."""
    return [(next(a.value.string_value for a in record.attributes if a.key == "log.record.uid"),
             record.body.string_value)
            for request in endpoint.requests if request.signal == "logs" for resource in request.message.resource_logs
            for scope in resource.scope_logs for record in scope.log_records if not record.event_name]


def test_the_program_goes_on_where_it_was(folder, limpet, endpoint):
    journal = folder / "j/system.journal"

    def append(first, last):
        write(journal, [(n, [("MESSAGE", b"line %d" % n)]) for n in range(first, last)],
              compact=True, keyed=True, compress=True)

    def start(state):
        return limpet(endpoint.url, "log.j.type=journald", f"log.j.directory={folder}/j", "log.j.start_at=beginning",
                      "log.j.discover=1s", "queue.batch_delay=50ms", f"agent.state_dir={folder}/{state}",
                      f"agent.run_dir={folder}/{state}", host=False)

    def bodies(count):
        until(lambda: len(arrived(endpoint)) >= count, what=f"{count} records")
        return [body for _, body in arrived(endpoint)]

    lines = [f"line {n}" for n in range(900)]
    for state in "ab":
        (folder / state).mkdir()
    append(0, 300)
    process = start("a")
    assert bodies(300) == lines[:300]
    append(300, 600)
    assert bodies(600) == lines[:600]
    assert process.stop() == 0
    append(600, 900)
    process = start("a")
    assert bodies(900) == lines
    process.stop()
    # The same entries have the same uids, whoever reads them.
    start("b")
    assert bodies(1800) == lines + lines
    uids = [uid for uid, _ in arrived(endpoint)]
    assert uids[:900] == uids[900:] and len(set(uids)) == 900
