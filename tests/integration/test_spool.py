"""limpet spool, dead, backup and restore: on a running process, and on a spool at rest."""

import base64
import fcntl
import json
import os
import re
import signal
import sqlite3
import struct
import subprocess
import threading
import time
import zlib

import pytest
from google.protobuf import descriptor, json_format

from endpoint import Answer, Endpoint, message_type
from limpet import FAST, GENERATOR, ControlConnection, Limpet, call, free_port, generating, until

SPILL = (*FAST, "spool.commit_interval=100ms")
DURABILITIES = {"on_demand": (), "always": ("spool.durability=always",),
                "normal": ("spool.sync=normal",)}


def nowhere():
    return f"http://127.0.0.1:{free_port()}"


def spill(limpet, *settings, url=None, batches=6, **options):
    """A process that has so many batches on flash, of metrics and of logs."""
    options = {"program": GENERATOR, "env": generating(100)} | options
    process = limpet(url or nowhere(), *SPILL, *settings, **options)
    process.wait_for(lambda s: s["spool"]["batches"] >= batches)
    return process


def spool(process, *arguments, **options):
    """One of the commands on the process's configuration, as a user would."""
    return call(*arguments, "-c", process.config, *process.settings, **options)


def listed(process, what="spool"):
    done = spool(process, what, "list", "--json")
    assert (done.returncode, done.stderr) == (0, ""), done
    return [json.loads(line) for line in done.stdout.splitlines()]


def exported(process):
    done = spool(process, "spool", "export", "-")
    assert (done.returncode, done.stderr) == (0, ""), done
    return [json.loads(line) for line in done.stdout.splitlines()]


def parsed(document, signal):
    """OTLP JSON as the official message: where JSON has ids in hex, protobuf's own has base64."""
    def convert(value):
        if isinstance(value, list):
            return [convert(v) for v in value]
        if isinstance(value, dict):
            return {k: base64.b64encode(bytes.fromhex(v)).decode()
                    if k in ("traceId", "spanId", "parentSpanId") else convert(v)
                    for k, v in value.items()}
        return value
    request = {k: v for k, v in document.items() if k != "limpet"}
    return json_format.ParseDict(convert(request), message_type(signal)())


def state_of(folder):
    """Every file of the directory: bytes, mode, time of the last change."""
    return {path.name: (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns)
            for path in sorted(folder.iterdir())}


def start_again(limpet, process, url, *settings, **options):
    return limpet(url, *SPILL, *settings, folder=process.folder, host=False, **options)


def arrived(endpoint, rows=()):
    """The first request of each key, in order, once those of the rows are among them."""
    wanted = {r["key"] for r in rows}
    until(lambda: wanted <= {r.key for r in endpoint.requests}, what="what was listed")
    found = {}
    for request in endpoint.requests:
        found.setdefault(request.key, request)
    return found


# Looking at it.

@pytest.mark.parametrize("settings", DURABILITIES.values(), ids=DURABILITIES)
def test_what_is_listed_is_what_arrives(limpet, settings):
    port = free_port()
    process = spill(limpet, *settings, url=f"http://127.0.0.1:{port}")
    running = listed(process)
    assert {r["signal"] for r in running} == {"metrics", "logs"}
    assert [r["id"] for r in running] == sorted(r["id"] for r in running)
    shown = json.loads(spool(process, "spool", "show", running[1]["id"], "--json").stdout)
    lines = exported(process)
    assert [line["limpet"]["id"] for line in lines][:len(running)] == [r["id"] for r in running]
    assert spool(process, "spool", "verify").returncode == 0

    assert process.stop() == 0
    rest = listed(process)
    assert [r["key"] for r in rest[:len(running)]] == [r["key"] for r in running]
    assert all(r["items"] > 0 and r["bytes"] > 0 for r in rest)
    assert rest[0]["attempts"] > 0 and rest[0]["first_attempt"] and rest[0]["may_be_sent"]
    at_rest = exported(process)
    assert [line["limpet"]["key"] for line in at_rest] == [r["key"] for r in rest]
    assert spool(process, "spool", "verify").returncode == 0

    with Endpoint(port=port) as endpoint:
        start_again(limpet, process, endpoint.url, *settings)
        got = arrived(endpoint, rest)
    for row, line in zip(rest, at_rest):
        request = got[row["key"]]
        assert request.signal == row["signal"] == line["limpet"]["signal"]
        assert len(request.body) == row["bytes"]
        assert parsed(line, row["signal"]) == request.message
    assert parsed(shown["request"], shown["signal"]) == got[shown["key"]].message
    for signal_name in ("metrics", "logs"):
        expected = [r["key"] for r in rest if r["signal"] == signal_name]
        assert [k for k in got if k in expected] == expected, "in order"


def test_for_people(limpet):
    process = spill(limpet)
    for running in (True, False):
        if not running:
            assert process.stop() == 0
        done = spool(process, "spool", "list")
        head, *rows, total = done.stdout.splitlines()
        assert head.split()[:4] == ["ID", "SIGNAL", "ITEMS", "BYTES"]
        columns = re.match(r"1 +(metrics|logs) +\d+ +\d+ +\d{4}-\d\d-\d\dT[\d:.]+Z +\d+ ", rows[0])
        assert columns, rows[0]
        assert total.startswith(f"{len(rows)} batches, ")
        assert "\x1b" not in done.stdout
        row = next(r for r in listed(process) if r["signal"] == "logs")
        done = spool(process, "spool", "show", row["id"])
        assert re.search(rf"^key +{row['key']}$", done.stdout, re.M)
        assert len(re.findall(r"INFO +line \d{9} ", done.stdout)) == row["items"]
        assert re.search(r"^# logs  service.name=generator", done.stdout, re.M)
    for number in ("0", "-1", "x", "1x", "99999999999999999999"):
        assert spool(process, "spool", "show", number).returncode == 64
    done = spool(process, "spool", "show", "1000000")
    assert done.returncode == 66 and "no batch 1000000" in done.stderr


def test_export_into_a_file(limpet, folder):
    process = spill(limpet)
    process.stop()
    target = folder / "out.jsonl"
    done = spool(process, "spool", "export", target)
    assert done.returncode == 0 and str(target) in done.stdout
    assert target.stat().st_mode & 0o777 == 0o600
    assert [json.loads(line) for line in target.read_text().splitlines()] == exported(process)
    before = target.read_bytes()
    done = spool(process, "spool", "export", target)
    assert done.returncode == 73 and "already" in done.stderr and target.read_bytes() == before
    assert spool(process, "spool", "export", folder / "no/such/out").returncode == 73
    assert sorted(p.name for p in folder.glob("out*")) == ["out.jsonl"]


@pytest.mark.parametrize("command", [("backup",), ("spool", "export")], ids=" ".join)
def test_a_file_has_its_name_when_it_is_whole(limpet, folder, command):
    process = spill(limpet)
    target, part = folder / "out", folder / "out.part"
    part.write_text("half of it")  # As one leaves it that was interrupted.
    part.chmod(0o644)
    with open(part, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = spool(process, *command, target)
        assert done.returncode == 73 and "another process" in done.stderr
        assert part.read_text() == "half of it" and not target.exists()
    done = spool(process, *command, target)
    assert (done.returncode, done.stderr) == (0, "") and not part.exists()
    assert target.stat().st_mode & 0o777 == 0o600
    part.symlink_to("elsewhere")
    target.unlink()
    done = spool(process, *command, target)
    assert done.returncode == 73 and not target.exists() and not (folder / "elsewhere").exists()


def filled(message, nth, depth=0):
    """Fills every field of the message, of alternatives the nth, with values that differ."""
    def value(field, i):
        number = field.number * 7 + nth * 3 + i
        if field.message_type is not None:
            made = field.message_type._concrete_class()
            # Values that hold values end with a simple one.
            return filled(made, nth if depth < 9 else 0, depth + 1)
        if field.type == field.TYPE_BYTES:
            ids = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}
            return bytes((number + k) % 256 for k in range(ids.get(field.name, 5 + nth)))
        if field.type == field.TYPE_STRING:
            return ["", "é ✓ 😀", 'a"b\\c\n\x01\u2028', "plain"][number % 4]
        if field.type in (field.TYPE_DOUBLE, field.TYPE_FLOAT):
            return [0.0, -1.5, 1e300, 0.1, float("inf"), -float("inf"), 123456789.125][number % 7]
        if field.type == field.TYPE_BOOL:
            return number % 2 == 1
        if field.type == field.TYPE_ENUM:
            return field.enum_type.values[number % len(field.enum_type.values)].number
        most = {field.TYPE_UINT32: 2**32 - 1, field.TYPE_FIXED32: 2**32 - 1,
                field.TYPE_SINT32: -2**31, field.TYPE_INT64: -2**63, field.TYPE_SFIXED64: -2**63,
                field.TYPE_UINT64: 2**64 - 1, field.TYPE_FIXED64: 2**64 - 1}
        return number if number % 2 else most[field.type]

    for field in message.DESCRIPTOR.fields:
        alternatives = field.containing_oneof and [
            f for f in field.containing_oneof.fields if f.name not in NOT_OURS]
        if field.name in NOT_OURS or (
                alternatives and alternatives[nth % len(alternatives)] != field):
            continue
        if field.is_repeated if hasattr(field, "is_repeated") else (
                field.label == descriptor.FieldDescriptor.LABEL_REPEATED):
            for i in range(1 if field.message_type and depth > 4 else 2):
                if field.message_type is not None:
                    getattr(message, field.name).add().CopyFrom(value(field, i))
                else:
                    getattr(message, field.name).append(value(field, i))
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(value(field, 0))
        else:
            setattr(message, field.name, value(field, 0))
    return message


NOT_OURS = {"key_strindex", "string_value_strindex"}  # Of profiles.


def insert(database, row, signal_name, body):
    """Puts a batch into a spool at rest, as limpet does."""
    columns = dict(start=1, sequence=row, path_bits=0, path_length=0, encoding=0, trust=0, items=1,
                   raw_bytes=len(body), stored_bytes=len(body), checkpoint_bytes=0, first_mono=1,
                   last_mono=2, first_wall=3, last_wall=4)
    number = ["metrics", "logs", "traces"].index(signal_name)
    checksum = zlib.crc32(struct.pack("<15Q", number, *columns.values()) + bytes(16) + body)
    columns |= dict(row=row, boot=bytes(16), attempts=0, first_attempt=0, may_be_sent=0,
                    checksum=checksum, bytes=body)
    with sqlite3.connect(database) as db:
        db.execute(f"INSERT INTO {signal_name}({','.join(columns)}) VALUES({','.join('?' * len(columns))})",
                   list(columns.values()))


def test_export_has_every_field_of_otlp(limpet, endpoint):
    process = limpet(endpoint.url)
    endpoint.wait(1)
    process.stop()
    sent = []
    for nth in range(14):
        for signal_name in ("metrics", "logs", "traces"):
            message = filled(message_type(signal_name)(), nth)
            sent.append((signal_name, message))
            insert(process.folder / "state/spool.db", 1000 + len(sent), signal_name,
                   message.SerializeToString())
    lines = exported(process)
    assert len(lines) == len(sent)
    for line, (signal_name, message) in zip(lines, sent):
        assert line["limpet"]["signal"] == signal_name
        assert parsed(line, signal_name) == message
        shown = spool(process, "spool", "show", line["limpet"]["id"])
        assert shown.returncode == 0


def test_while_it_changes(limpet):
    """Readers beside commits and deletions see each batch once, whole and in order."""
    with Endpoint(default=Answer(503)) as endpoint:
        process = spill(limpet, "spool.durability=always", url=endpoint.url,
                        env=generating(2000), batches=20)
        endpoint.default = Answer(delay=0.02)
        for _ in range(15):
            ids = [r["id"] for r in listed(process)]
            assert ids == sorted(set(ids))
            assert spool(process, "spool", "verify").returncode == 0
        process.status()
        assert process.process.poll() is None


def test_readers_at_the_same_time(limpet):
    process = spill(limpet)
    readers = [subprocess.Popen(
        [GENERATOR, "spool", "export", "-", "-c", process.config, *process.settings],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    for reader in readers:
        out, err = reader.communicate(timeout=60)
        assert (reader.returncode, err) == (0, "")
        assert len(out.splitlines()) >= 6


# At rest.

def test_nothing_at_rest_is_touched(limpet):
    process = spill(limpet)
    process.stop()
    state = process.folder / "state"
    before = state_of(state)
    for arguments in (("spool", "list"), ("spool", "verify"), ("spool", "export", "-"),
                      ("spool", "show", "1"), ("dead", "list")):
        assert spool(process, *arguments).returncode == 0
    assert state_of(state) == before


@pytest.mark.parametrize("settings", DURABILITIES.values(), ids=DURABILITIES)
def test_a_transaction_that_was_cut_short(limpet, settings, tmp_path):
    """A hot journal, or a WAL, is looked at in a copy: original and temporary directory stay as
    they were."""
    process = spill(limpet, *settings)
    process.kill()
    state = process.folder / "state"
    wal, journal, database = (state / f"spool.db{end}" for end in ("-wal", "-journal", ""))
    if wal.exists():
        assert wal.stat().st_size > 0
    else:
        # What SQLite leaves when it dies between writing the database and ending its journal.
        script = ("import os, sqlite3, sys\n"
                  "db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
                  "db.execute('PRAGMA journal_mode=PERSIST')\n"
                  "db.execute('PRAGMA cache_size=1')\n"
                  "db.execute('BEGIN IMMEDIATE')\n"
                  "db.execute('DELETE FROM metrics')\n"
                  "db.execute('UPDATE logs SET checksum=1')\n"
                  "db.execute('CREATE TABLE more(x)')\n"
                  "for _ in range(200): db.execute('INSERT INTO more VALUES(zeroblob(1000))')\n"
                  "os._exit(0)\n")
        expected = listed(process)
        subprocess.run(["python3", "-c", script, database], check=True)
        assert journal.read_bytes()[0] != 0, "not hot"
    before = state_of(state)
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    for arguments in (("spool", "list"), ("spool", "verify"), ("spool", "export", "-")):
        done = spool(process, *arguments, env=environment)
        assert (done.returncode, done.stderr) == (0, ""), done
    found = listed(process)
    assert found
    if not wal.exists():
        assert found == expected
    assert state_of(state) == before
    assert not list(tmp_path.iterdir())
    done = spool(process, "spool", "list", env=environment | {"TMPDIR": str(tmp_path / "none")})
    assert done.returncode == 73 and "TMPDIR" in done.stderr

    with Endpoint() as endpoint:
        start_again(limpet, process, endpoint.url, *settings)
        arrived(endpoint, found)


def test_kills_at_random(limpet):
    """Whatever a kill leaves behind can be read, and verifies."""
    process = spill(limpet, env=generating(3000))
    for nth in range(12):
        time.sleep(0.05 + 0.013 * nth)
        process.kill()
        before = state_of(process.folder / "state")
        kept = len(listed(process))
        assert kept > 0
        done = spool(process, "spool", "verify")
        assert done.returncode == 0, done.stdout
        assert state_of(process.folder / "state") == before
        process = limpet(nowhere(), *SPILL, folder=process.folder, program=GENERATOR,
                         env=generating(3000))
        # It begins as draining, and with no healthy destination stays so for 30 s; it commits in both.
        process.wait_for(lambda s: s["spool"]["batches"] > kept)


def test_damage_is_found(limpet):
    process = spill(limpet)
    process.stop()
    database = process.folder / "state/spool.db"
    rows = listed(process)
    whole = database.read_bytes()
    with sqlite3.connect(database) as db:
        blob = db.execute(f"SELECT bytes FROM {rows[2]['signal']} WHERE row=?", (rows[2]["id"],)
                          ).fetchone()[0]
    database.write_bytes(whole)
    at = whole.index(blob[-64:])
    database.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
    done = spool(process, "spool", "verify")
    assert done.returncode == 65
    assert f"batch {rows[2]['id']}: a wrong checksum" in done.stdout
    assert f"{len(rows) - 1} batches" in done.stdout
    assert spool(process, "spool", "show", rows[2]["id"]).returncode == 65
    done = spool(process, "spool", "export", "-")
    assert done.returncode == 65 and len(done.stdout.splitlines()) == len(rows) - 1
    assert f"batch {rows[2]['id']}" in done.stderr

    database.write_bytes(whole)
    with sqlite3.connect(database) as db:
        db.execute("UPDATE state SET value=value+1 WHERE name='metrics.items'")
    done = spool(process, "spool", "verify")
    assert done.returncode == 65 and "items of metrics: the account says" in done.stdout

    for damaged in (whole[:3000], b"no database" * 1000, b"\0" * 4096, whole[:1024] * 40):
        database.write_bytes(damaged)
        for arguments in (("spool", "verify"), ("spool", "list"), ("dead", "list"),
                          ("spool", "export", "-"), ("spool", "show", "1")):
            done = spool(process, *arguments)
            assert done.returncode == 65, (damaged[:16], arguments, done)
    database.write_bytes(whole)
    with sqlite3.connect(database) as db:
        db.execute("PRAGMA user_version=99")
    done = spool(process, "spool", "list")
    assert done.returncode == 65 and "newer limpet" in done.stderr


def test_flips_anywhere_never_crash(limpet):
    process = spill(limpet)
    process.stop()
    database = process.folder / "state/spool.db"
    whole = database.read_bytes()
    for nth in range(60):
        at = nth * 7919 % len(whole)
        database.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << nth % 8)]) + whole[at + 1:])
        for arguments in (("spool", "verify"), ("spool", "export", "-")):
            assert spool(process, *arguments).returncode in (0, 65), (at, arguments)


def test_nothing_to_look_at(folder, limpet):
    process = Limpet(folder, nowhere(), wait=False)
    process.kill()
    elsewhere = folder / "elsewhere"
    for arguments in (("spool", "list"), ("spool", "show", "1"), ("spool", "export", "-"),
                      ("spool", "verify"), ("dead", "list"), ("backup", folder / "backup")):
        done = spool(process, *arguments, "--state-dir", elsewhere)
        assert done.returncode == 66 and f"no spool at {elsewhere}/spool.db" in done.stderr
        done = spool(process, *arguments, "--set", "spool.durability=never")
        assert done.returncode == 69 and "spool.durability = never" in done.stderr
    assert not elsewhere.exists() and not (folder / "backup").exists()


def test_a_path_with_everything_in_it(limpet, folder):
    process = spill(limpet)
    process.stop()
    odd = folder / "a?b=c&d #%41 ü"
    (folder / "state").rename(odd)
    done = spool(process, "spool", "list", "--state-dir", odd)
    assert done.returncode == 0 and "batches" in done.stdout
    assert [p.name for p in folder.iterdir() if "limpet-" in p.name] == []


def test_a_process_that_cannot_be_asked(limpet, folder):
    process = spill(limpet)
    done = spool(process, "spool", "list", "--set", f"agent.run_dir={folder}/other")
    assert done.returncode == 69
    assert str(process.process.pid) in done.stderr and "run_dir" in done.stderr
    process.signal(signal.SIGSTOP)
    try:
        done = spool(process, "spool", "list", timeout=60)
    finally:
        process.signal(signal.SIGCONT)
    assert done.returncode == 69 and "does not answer" in done.stderr


def test_who_looks_hinders_no_start(limpet, endpoint):
    """To look is to share the lock for a moment."""
    process = limpet(endpoint.url)
    process.stop()
    ended = threading.Event()

    def look():
        while not ended.is_set():
            with open(process.folder / "state/spool.lock", "rb") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    time.sleep(0.0005)
                except BlockingIOError:
                    pass
            time.sleep(0.001)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(10):
            process = limpet(endpoint.url, folder=process.folder)
            process.kill()
    finally:
        ended.set()
        looking.join()


def test_the_listener_does_not_serve_it(limpet, endpoint):
    import http.client
    port = free_port()
    limpet(endpoint.url, f"health.listen=127.0.0.1:{port}")
    for method, path in (("GET", "/spool/file?offset=0"), ("POST", "/dead/purge"),
                         ("POST", "/dead/retry"), ("GET", "/dead/answer?ticket=1")):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request(method, path)
        assert connection.getresponse().status == 404, path
        connection.close()


def test_routes(limpet, endpoint):
    process = limpet(endpoint.url)
    for method, target, code in (
            ("POST", "/spool/file?offset=0", 405), ("GET", "/spool/file", 400),
            ("GET", "/spool/file?offset=x", 400), ("GET", "/spool/file?offset=-1", 400),
            ("GET", "/dead/purge", 405), ("POST", "/dead/purge?id=", 400),
            ("POST", "/dead/retry?id=1,,2", 400), ("POST", "/dead/retry?id=0", 400),
            ("POST", "/dead/retry?id=" + ",".join(map(str, range(1, 34))), 400),
            ("GET", "/dead/answer?ticket=77", 404), ("GET", "/dead/answer", 400)):
        assert process.get(target, method)[0] == code, target


def test_a_reader_holds_commits_back_for_a_while_only(limpet):
    process = spill(limpet, "spool.durability=always", env=generating(50))
    changes, state, end = [time.monotonic()], None, time.monotonic() + 7
    while time.monotonic() < end:
        connection = ControlConnection(process.folder / "run/limpet.sock")
        connection.request("GET", "/spool/file?offset=0")
        answer = connection.getresponse()
        head = answer.read()[:8]
        connection.close()
        assert answer.status in (200, 202)
        if answer.status == 200 and head != state:
            state = head
            changes.append(time.monotonic())
    gaps = [b - a for a, b in zip(changes, changes[1:])]
    assert len(gaps) >= 3 and max(gaps) < 3, gaps
    assert max(gaps[1:]) > 1.5, "it does hold them back"


# Backup and restore.

@pytest.mark.parametrize("settings", DURABILITIES.values(), ids=DURABILITIES)
@pytest.mark.parametrize("running", [True, False], ids=["running", "at rest"])
def test_backup_and_restore(limpet, folder, settings, running):
    process = spill(limpet, *settings)
    backup = folder / "backup.db"
    if not running:
        process.kill()
    held = listed(process)
    done = spool(process, "backup", backup)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert backup.stat().st_mode & 0o777 == 0o600
    if running:
        assert process.process.poll() is None
        process.status()
    assert sorted(p.name for p in folder.glob("backup*")) == ["backup.db"]

    other = folder / "other"
    other.mkdir()
    twin = Limpet(other, nowhere(), wait=False)
    twin.kill()
    done = spool(twin, "restore", backup, "--state-dir", other / "state")
    assert done.returncode == 0, done
    instance = held[0]["key"].rsplit("-", 3)[0]
    assert instance in done.stdout and "same keys" in done.stdout
    assert (other / "state/spool.db").stat().st_mode & 0o777 == 0o600
    assert (other / "state").stat().st_mode & 0o777 == 0o700
    restored = listed(twin)
    assert [r["key"] for r in restored[:len(held)]] == [r["key"] for r in held]
    assert spool(twin, "spool", "verify").returncode == 0
    with Endpoint() as endpoint:
        again = limpet(endpoint.url, *SPILL, *settings, folder=other, host=False)
        again.wait_for(lambda s: s["held"]["spool"] == 0 and s["held"]["memory"] == 0)
        got = arrived(endpoint, restored)
        for signal_name in ("metrics", "logs"):
            expected = [r["key"] for r in restored if r["signal"] == signal_name]
            assert [k for k in got if k in expected] == expected, "nothing is lost, all in order"
        assert again.status()["instance"] == instance


def test_relative_paths(limpet, folder):
    process = spill(limpet)
    done = spool(process, "backup", "b.db", cwd=folder)
    assert done.returncode == 0 and (folder / "b.db").is_file()
    done = spool(process, "restore", "b.db", "--state-dir", "twin", cwd=folder)
    assert done.returncode == 0, done
    rows = listed(process)
    for path in ("twin", f"//{folder}/twin", f"{folder}/twin/"):
        done = spool(process, "spool", "list", "--json", "--state-dir", path, cwd=folder)
        assert done.returncode == 0, done
        assert {json.loads(line)["key"] for line in done.stdout.splitlines()} <= {
            r["key"] for r in rows}


def test_backup_refuses_what_is_there(limpet, folder):
    process = spill(limpet)
    target = folder / "backup.db"
    target.write_text("mine")
    done = spool(process, "backup", target)
    assert done.returncode == 73 and "already" in done.stderr and target.read_text() == "mine"
    assert spool(process, "backup", folder / "no/such/file").returncode == 73
    assert call("backup").returncode == 64 and call("restore").returncode == 64


def test_backup_beside_heavy_work(limpet, folder):
    """Whole and consistent, whatever is committed and sent meanwhile."""
    process = spill(limpet, "spool.durability=always", env=generating(3000), batches=30)
    for nth in range(5):
        target = folder / f"backup-{nth}.db"
        assert spool(process, "backup", target).returncode == 0
        with sqlite3.connect(f"file:{target}?mode=ro", uri=True) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        done = spool(process, "restore", target, "--state-dir", folder / f"restored-{nth}")
        assert done.returncode == 0, done
        done = spool(process, "spool", "verify", "--state-dir", folder / f"restored-{nth}")
        assert done.returncode == 0, done.stdout
    process.status()


def test_restore_refuses(limpet, folder):
    process = spill(limpet)
    backup = folder / "backup.db"
    assert spool(process, "backup", backup).returncode == 0
    done = spool(process, "restore", backup)
    assert done.returncode == 75 and str(process.process.pid) in done.stderr
    process.stop()
    state = process.folder / "state"
    before = state_of(state)
    whole = backup.read_bytes()
    newer = folder / "newer.db"
    newer.write_bytes(whole)
    with sqlite3.connect(newer) as db:
        db.execute("PRAGMA user_version=98")
    foreign = folder / "foreign.db"
    with sqlite3.connect(foreign) as db:
        db.execute("CREATE TABLE t(x)")
    bad = {newer: 65, foreign: 65, folder / "none.db": 66, folder: 66}
    for name, damaged in (("cut", whole[:len(whole) // 2]), ("text", b"hello" * 1000),
                          ("empty", b""), ("torn", whole[:8192] + b"\xff" * 4096 + whole[12288:])):
        path = folder / f"{name}.db"
        path.write_bytes(damaged)
        bad[path] = 65
    for path, code in bad.items():
        done = spool(process, "restore", path)
        assert done.returncode == code, (path, done)
        after = state_of(state)
        assert {k: v for k, v in after.items() if k != "spool.lock"} == {
            k: v for k, v in before.items() if k != "spool.lock"}, path


def test_restore_sets_the_present_aside(limpet, folder):
    process = spill(limpet)
    backup = folder / "backup.db"
    assert spool(process, "backup", backup).returncode == 0
    kept = listed(process)
    process.wait_for(lambda s: s["spool"]["batches"] >= len(kept) + 4)
    process.stop()
    later = listed(process)
    for _ in range(2):
        done = spool(process, "restore", backup)
        assert done.returncode == 0 and "spool.db.before-restore" in done.stdout
    state = process.folder / "state"
    assert {r["key"] for r in listed(process)} >= {r["key"] for r in kept}
    assert spool(process, "restore", backup).returncode == 0
    (folder / "aside").mkdir()
    assert len(later) > len(listed(process))
    assert sorted(p.name for p in state.iterdir() if "restore" in p.name and "journal" not in p.name
                  ) == ["spool.db.before-restore"]


def test_restore_leaves_nothing_to_salvage(limpet, folder):
    """What a start had not yet got out of a damaged spool does not come into the restored one."""
    process = spill(limpet)
    backup = folder / "backup.db"
    assert spool(process, "backup", backup).returncode == 0
    process.stop()
    state = process.folder / "state"
    salvage = (state / "spool.db").read_bytes()
    (state / "spool.db.salvage").write_bytes(salvage)
    (state / "spool.db.salvage-journal").write_bytes(b"journal")
    (state / "spool.db.damaged-1").write_bytes(b"older")
    done = spool(process, "restore", backup)
    assert done.returncode == 0 and "spool.db.damaged-1" in done.stdout
    assert not list(state.glob("spool.db.salvage*"))
    assert (state / "spool.db.damaged-1").read_bytes() == salvage
    assert (state / "spool.db.damaged-1-journal").read_bytes() == b"journal"
    kept = {r["key"] for r in listed(process)}
    with Endpoint() as endpoint:
        again = start_again(limpet, process, endpoint.url)
        again.wait_for(lambda s: s["held"]["spool"] == 0 and s["held"]["memory"] == 0)
        assert "damaged" not in again.log
        assert kept <= set(arrived(endpoint))


# Dead letters.

def refusing(limpet, endpoint, count, *settings):
    """A process whose first batches were refused, and are dead letters."""
    no = Answer(400, body=b"no", headers={"Content-Type": "text/plain"})
    # By the number behind the start of the key: whole or in parts, which are .0, .1, .01, ...
    endpoint.default = lambda request: (
        no if int(request.key.rsplit("-", 1)[1].split(".")[0]) <= count else Answer())
    process = limpet(endpoint.url, *SPILL, "host.interval=300ms", *settings)
    # Something is accepted after them: a third refusal in a row would be held as misconfigured.
    process.wait_for(lambda s: s["ledger"]["metrics"]["delivered"] > 0
                     and len(listed(process, "dead")) == count)
    endpoint.default = Answer()
    return process


def test_dead_letters(limpet, endpoint):
    process = refusing(limpet, endpoint, 2)
    dead = listed(process, "dead")
    refused = {r.key: r for r in endpoint.requests if r.answer.status == 400 and "." not in r.key}
    assert [r["key"] for r in dead] == list(refused)
    for row in dead:
        assert row["destination"] == "primary" and row["answer"].startswith("400") and row["died"]
    assert sum(r["items"] for r in dead) == process.status()["ledger"]["metrics"]["dead"]
    done = spool(process, "dead", "list")
    assert "primary" in done.stdout and "400" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("2 dead letters, ")
    done = spool(process, "dead", "show", dead[0]["id"], "--json")
    assert parsed(json.loads(done.stdout)["request"], "metrics") == refused[dead[0]["key"]].message
    done = spool(process, "dead", "show", dead[0]["id"])
    assert re.search("^answer +400", done.stdout, re.M) and "system.uptime" in done.stdout
    assert spool(process, "spool", "show", dead[0]["id"]).returncode == 66
    assert spool(process, "dead", "show", "12345678").returncode == 66
    done = spool(process, "spool", "verify")
    assert done.returncode == 0, done.stdout

    items = dead[0]["items"]
    done = spool(process, "dead", "retry", dead[0]["id"])
    assert (done.returncode, done.stdout) == (0, "1 dead letter put back into the line\n"), done
    process.wait_for(lambda s: s["ledger"]["metrics"]["dead"] == dead[1]["items"])
    until(lambda: [r.answer.status for r in endpoint.requests if r.key == dead[0]["key"]] == [400, 200])
    done = spool(process, "dead", "retry", dead[0]["id"], dead[1]["id"])
    assert done.returncode == 66 and done.stdout.startswith("1 dead letter put back into the line;")
    process.wait_for(lambda s: s["ledger"]["metrics"]["dead"] == 0)
    until(lambda: [r.answer.status for r in endpoint.requests if r.key == dead[1]["key"]] == [400, 200])
    assert items > 0
    for action in ("retry", "purge"):
        done = spool(process, "dead", action)
        assert (done.returncode, done.stdout[:14]) == (0, "0 dead letters")
    process.status()
    assert process.stop() == 0
    assert process.final_account()["dropped"] == 0
    assert listed(process, "dead") == []


def test_retry_of_what_dies_again_ends(limpet, endpoint):
    process = refusing(limpet, endpoint, 2)
    before = listed(process, "dead")
    endpoint.default = lambda r: Answer(400 if r.key.split(".")[0] in {b["key"] for b in before} else 200)
    done = spool(process, "dead", "retry")
    assert done.returncode == 0 and done.stdout.startswith("2 dead letters put back")
    until(lambda: [r["key"] for r in listed(process, "dead")] == [b["key"] for b in before]
          and [r["id"] for r in listed(process, "dead")] > [b["id"] for b in before])
    process.status()


@pytest.mark.parametrize("named", [False, True], ids=["all", "named"])
def test_retry_of_more_than_a_transaction_takes(limpet, endpoint, named):
    """With 1 MiB a job moves 64 KiB of letters; the command moves all."""
    def every_second(request):
        """Refused with all its parts, so that it is one letter. A third one in a row would be held."""
        sequence = int(request.key.rsplit("-", 1)[1].split(".")[0])
        return Answer(400 if request.signal == "logs" and sequence % 2 else 200)
    endpoint.default = every_second
    process = limpet(endpoint.url, *SPILL, "spool.max_size=1MiB", "spool.dead_max_size=512KiB",
                     "queue.batch_bytes=32KiB", "destination.primary.compression=none",
                     program=GENERATOR, env=generating(5000))
    process.wait_for(lambda s: len(listed(process, "dead")) >= 8)
    endpoint.default = Answer()
    time.sleep(0.3)  # Until the last refusal is on flash.
    dead = listed(process, "dead")
    assert sum(r["bytes"] for r in dead) > 3 * 64 * 1024
    done = spool(process, "dead", "retry", *([r["id"] for r in dead] if named else []))
    assert (done.returncode, done.stdout) == (0, f"{len(dead)} dead letters put back into the line\n"), done
    assert listed(process, "dead") == []
    wanted = {r["key"] for r in dead}
    until(lambda: wanted <= {r.key for r in endpoint.requests if r.answer.status == 200})
    process.status()


def test_purge(limpet, endpoint):
    process = refusing(limpet, endpoint, 2)
    items = sum(r["items"] for r in listed(process, "dead"))
    done = spool(process, "dead", "purge")
    assert (done.returncode, done.stdout) == (0, "2 dead letters purged\n"), done
    status = process.wait_for(lambda s: s["ledger"]["metrics"]["dead"] == 0)
    assert status["ledger"]["metrics"]["dropped_by"] == {"dead_purged": items}
    assert listed(process, "dead") == []
    assert spool(process, "spool", "verify").returncode == 0
    process.stop()
    again = start_again(limpet, process, endpoint.url)
    assert again.status()["ledger"]["metrics"]["dropped_by"] == {"dead_purged": items}


def test_dead_letters_at_rest(limpet, endpoint):
    process = refusing(limpet, endpoint, 1)
    process.stop()
    dead = listed(process, "dead")
    assert len(dead) == 1
    assert spool(process, "dead", "show", dead[0]["id"]).returncode == 0
    for arguments in (("retry",), ("retry", dead[0]["id"]), ("purge",)):
        done = spool(process, "dead", *arguments)
        assert done.returncode == 69 and "start it first" in done.stderr
    assert listed(process, "dead") == dead
    assert spool(process, "dead", "retry", "x").returncode == 64


def test_usage():
    for arguments in (("spool",), ("spool", "purge"), ("spool", "show"), ("spool", "export"),
                      ("spool", "list", "1"), ("spool", "verify", "--json"), ("dead",),
                      ("dead", "export", "-"), ("dead", "purge", "1"), ("backup", "a", "b"),
                      ("restore",), ("spool", "list", "--listen", "x")):
        done = call(*arguments)
        assert done.returncode == 64 and done.stderr.startswith("limpet: "), arguments
