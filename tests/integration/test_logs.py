"""limpet follows files: in order, over rotation and restarts, each record once, shaped as its section says."""

import os
import shutil
import time

import pytest

from endpoint import Answer
from limpet import FAST, call, until
from otlp import any_value, attributes

QUICK = ("queue.batch_delay=50ms", "log.app.start_at=beginning", "log.app.discover=200ms", *FAST)


def records(endpoint, first=0):
    """All that has arrived since that request, but limpet's own events, in order: [(record, attributes)]."""
    return [(record, attributes(record.attributes)) for request in endpoint.requests[first:] if request.signal == "logs"
            for resource in request.message.resource_logs
            for scope in resource.scope_logs for record in scope.log_records if not record.event_name]


def bodies(endpoint, first=0):
    return [any_value(record.body) for record, _ in records(endpoint, first)]


def wait_for(endpoint, expected, timeout=10.0):
    until(lambda: len(bodies(endpoint)) >= len(expected), timeout, f"{len(expected)} records")
    assert bodies(endpoint) == expected


def append(path, *lines):
    with open(path, "a") as file:
        file.write("".join(line + "\n" for line in lines))


def test_lines_arrive_once_and_in_order_over_rotation_and_restarts(limpet, endpoint, folder):
    path = folder / "app.log"
    follow = (f"log.app.path={folder}/app.log*", *QUICK)
    append(path, "one", "two")
    process = limpet(endpoint.url, *follow, host=False)
    wait_for(endpoint, ["one", "two"])
    append(path, "three")
    os.rename(path, folder / "app.log.1")
    append(folder / "app.log.1", "four")
    append(path, "five")
    wait_for(endpoint, ["one", "two", "three", "four", "five"])
    process.stop()
    append(path, "six")
    limpet(endpoint.url, *follow, host=False)
    append(path, "seven")
    wait_for(endpoint, ["one", "two", "three", "four", "five", "six", "seven"])
    uids = [its["log.record.uid"] for _, its in records(endpoint)]
    assert len(set(uids)) == 7
    assert {its["log.file.name"] for _, its in records(endpoint)} <= {"app.log", "app.log.1"}


def test_patterns(limpet, endpoint, folder):
    path = folder / "app.log"
    append(path, "2026 start", "  password=secret1 a", "2026 DEBUG none", "  of it", "2026 user=x password=secret2", "2026 end")
    limpet(endpoint.url, f"log.app.path={path}", *QUICK, "log.app.flush=100ms", host=False,
           *["log.app.multiline=^\\d{4} ", "log.app.exclude_records=DEBUG", "log.app.redact=password=\\w+"])
    wait_for(endpoint, ["2026 start\n  *** a", "2026 user=x ***", "2026 end"])


def test_a_pattern_that_is_none(folder):
    config = folder / "limpet.ini"
    config.write_text("[destination.a]\nurl = http://127.0.0.1:1\n[log.app]\npath = /var/log/*.log\nredact = a(b\n")
    done = call("check", "-c", config)
    assert done.returncode == 78
    assert f"{config}:5: log.app.redact: " in done.stderr


def test_status_says_what_became_of_records(limpet, endpoint, folder):
    path = folder / "app.log"
    with open(path, "wb") as file:
        file.write(b"good\nb\xffd\n" + b"x" * 9000 + b"\nDEBUG\n")
    process = limpet(endpoint.url, f"log.app.path={path}", *QUICK, "log.app.max_line=4KiB",
                     "log.app.exclude_records=DEBUG", host=False)
    wait_for(endpoint, ["good", "b\ufffdd", "x" * 4096])
    status = process.status()
    source, = (s for s in status["sources"] if s["name"] == "log.app")
    assert source == {"name": "log.app", "records": 3, "open": 1, "filtered": 1, "truncated": 1,
                      "invalid_utf8": 1, "undecoded": 0, "dropped": 0, "lost": 0, "problem": None}
    assert "logs" in {pool["name"] for pool in status["pools"]}
    shown = process.ask("status").stdout
    assert "source       log.app  3 records, 1 open, 1 filtered, 1 truncated, 1 with invalid UTF-8\n" in shown
    metrics = process.get("/metrics")[1]
    assert 'limpet_records_marked_total{source="log.app",mark="truncated"} 1\n' in metrics
    assert 'limpet_records_marked_total{source="log.app",mark="undecoded"} 0\n' in metrics


def test_totals_of_marks_go_on_over_restarts(limpet, endpoint, folder):
    path = folder / "app.log"
    follow = (f"log.app.path={path}", *QUICK)
    for total in (1, 2, 3):
        with open(path, "ab") as file:
            file.write(b"b\xffd %d\n" % total)
        process = limpet(endpoint.url, *follow, host=False)
        until(lambda: len(bodies(endpoint)) == total, what=f"{total} records")
        marked = 'limpet_records_marked_total{source="log.app",mark="invalid_utf8"} %d\n'
        assert marked % total in process.get("/metrics")[1]
        process.stop()


def test_a_kill_in_an_outage_loses_no_line(limpet, endpoint, folder):
    """What was read again carries the uid it had."""
    path = folder / "app.log"
    endpoint.default = Answer(503)
    lines = [f"line {i}" for i in range(500)]
    process = limpet(endpoint.url, f"log.app.path={path}", *QUICK, host=False)
    append(path, *lines[:250])
    until(lambda: process.status()["held"]["memory"] + process.status()["held"]["spool"] >= 250, what="250 lines held")
    process.kill()
    refused = len(endpoint.requests)
    append(path, *lines[250:])
    endpoint.default = Answer()
    limpet(endpoint.url, f"log.app.path={path}", *QUICK, host=False)
    until(lambda: len(set(bodies(endpoint, refused))) == 500, what="500 lines")
    assert list(dict.fromkeys(bodies(endpoint, refused))) == lines
    uids = {}
    for record, its in records(endpoint):
        assert uids.setdefault(any_value(record.body), its["log.record.uid"]) == its["log.record.uid"]


def test_what_cannot_be_read_is_said_once_and_shown(limpet, endpoint, folder):
    append(folder / "app.log", "one")
    loop = folder / "loop.log"
    loop.symlink_to(loop)  # Whoever runs the tests: it cannot be opened.
    process = limpet(endpoint.url, f"log.app.path={folder}/*.log", *QUICK, host=False)
    wait_for(endpoint, ["one"])

    def problem():
        return next(source["problem"] for source in process.status()["sources"] if source["name"] == "log.app")
    assert problem().startswith(f"{loop}: ")
    append(folder / "app.log", "two")
    wait_for(endpoint, ["one", "two"])
    loop.unlink()
    until(lambda: problem() is None, 5, "an end of it")
    assert len(process.lines("a file or a directory cannot be read")) == 1
    assert len(process.lines("all files of the source can be read again")) == 1


def test_files_with_the_same_lines_are_no_copies(limpet, endpoint, folder):
    """Of one job in three folders, and of a log that is rotated by rename and begins with the same lines."""
    lines = [f"the same line {n} of each run of this job" for n in range(12)]
    jobs = [folder / f"run{n}/job.log" for n in range(3)]
    follow = (f"log.app.path={folder}/*/job.log,{folder}/app.log*", *QUICK)
    process = limpet(endpoint.url, *follow, host=False)
    for number, job in enumerate(jobs, 1):
        job.parent.mkdir()
        append(job, *lines)
        wait_for(endpoint, number * lines)
    for turn in range(1, 4):
        append(folder / "app.log", *lines)
        wait_for(endpoint, (3 + turn) * lines)
        if turn == 2:
            process.stop()
        os.rename(folder / "app.log", folder / f"app.log.{turn}")
        if turn == 2:
            process = limpet(endpoint.url, *follow, host=False)
    uids = [its["log.record.uid"] for _, its in records(endpoint)]
    assert len(set(uids)) == 6 * len(lines)


def test_bytes_that_are_no_text_stop_nothing(limpet, endpoint, folder):
    """In a level, and in the name of a file: a destination could not decode them."""
    os.mkdir(folder / "logs")
    with open(os.fsencode(folder) + b"/logs/\xfe.log", "wb") as file:
        file.write(b"message=one level=w\xe4rn\nmessage=two level=warn\n")
    process = limpet(endpoint.url, f"log.app.path={folder}/logs/*.log", "log.app.format=logfmt", *QUICK, host=False)
    wait_for(endpoint, ["one", "two"])
    (one, its), (two, _) = records(endpoint)
    assert its["log.file.name"] == "\ufffd.log"
    assert (one.severity_text, its["level"]) == ("", "w\ufffdrn")
    assert two.severity_text == "warn"
    assert its["limpet.invalid_utf8"] is True
    assert process.status()["ledger"]["logs"]["delivered"] == 2


@pytest.mark.parametrize("envelope,lines", [
    ("cri", (b"2024-01-01T00:00:00Z stdout P a\xe4", b"2024-01-01T00:00:00Z stdout F b",
             b"2024-01-01T00:00:00Z stdout F c")),
    ("docker", (b'{"log":"a\xe4","stream":"stdout"}', b'{"log":"b\\n","stream":"stdout"}',
                b'{"log":"c\\n","stream":"stdout"}'))])
def test_bytes_in_an_envelope_that_are_no_utf8(limpet, endpoint, folder, envelope, lines):
    (folder / "app.log").write_bytes(b"\n".join(lines) + b"\n")
    limpet(endpoint.url, f"log.app.path={folder}/app.log", f"log.app.format={envelope}", *QUICK, host=False)
    wait_for(endpoint, ["a\ufffdb", "c"])
    assert [its.get("limpet.invalid_utf8") for _, its in records(endpoint)] == [True, None]


def test_a_line_outside_of_the_envelope_is_of_no_stream(limpet, endpoint, folder):
    append(folder / "app.log", '{"log":"a\\n","stream":"stderr"}', "no docker", '{"log":"b\\n","stream":"stdout"}')
    limpet(endpoint.url, f"log.app.path={folder}/app.log", "log.app.format=docker", *QUICK, host=False)
    wait_for(endpoint, ["a", "no docker", "b"])
    assert [its.get("log.iostream") for _, its in records(endpoint)] == ["stderr", None, "stdout"]


def test_no_line_says_what_limpet_says(limpet, endpoint, folder):
    append(folder / "app.log", '{"log.record.uid":"evil","a":1,"log.file.name":"evil","x":"evil","limpet.truncated":true,'
                               '"log.level":"kept","message":"m"}')
    limpet(endpoint.url, f"log.app.path={folder}/app.log", "log.app.format=json", "log.app.attribute.x=ours", *QUICK,
           host=False)
    wait_for(endpoint, ["m"])
    (record, its), = records(endpoint)
    keys = [attribute.key for attribute in record.attributes]
    assert sorted(keys) == ["a", "log.file.name", "log.file.path", "log.level", "log.record.uid", "x"]
    assert (its["x"], its["log.file.name"], its["a"], its["log.level"]) == ("ours", "app.log", 1, "kept")
    assert its["log.record.uid"] != "evil"
    # Somebody tries: a record it is all the same.
    append(folder / "app.log", "{" + ",".join(f'"limpet.{n}":{n}' for n in range(40)) + ',"b":2,"message":"n"}')
    wait_for(endpoint, ["m", "n"])
    assert records(endpoint)[1][1].keys() == {"log.file.name", "log.file.path", "log.record.uid", "x", "limpet.truncated"}


def test_a_copy_named_in_front_of_its_extension_is_one(limpet, endpoint, folder):
    lines = [f"line {n} of a log that is copied" for n in range(40)]
    append(folder / "app.log", *lines)
    limpet(endpoint.url, f"log.app.path={folder}/app*.log", *QUICK, host=False)
    wait_for(endpoint, lines)
    time.sleep(0.3)  # Its head is known.
    shutil.copy(folder / "app.log", folder / "app-20261127.log")
    os.truncate(folder / "app.log", 0)
    append(folder / "app.log", "end")
    wait_for(endpoint, [*lines, "end"])
    time.sleep(0.6)  # Some looks for files.
    assert bodies(endpoint) == [*lines, "end"]


def test_copies_with_a_matching_name_are_not_read_again(limpet, endpoint, folder):
    """copytruncate under a pattern that matches what is rotated, while limpet runs and while it does not."""
    path = folder / "app.log"
    follow = (f"log.app.path={folder}/app.log*", *QUICK)

    def turn(number):
        for old in range(number, 0, -1):
            os.rename(folder / f"app.log.{old}", folder / f"app.log.{old + 1}")
        shutil.copy(path, folder / "app.log.1")
        os.truncate(path, 0)

    expected = []
    process = limpet(endpoint.url, *follow, host=False)
    for cycle in range(4):
        lines = [f"line {cycle} {n} of this log" for n in range(40)]
        append(path, *lines)
        expected += lines
        wait_for(endpoint, expected)
        time.sleep(0.3)  # Its head is known.
        if cycle == 2:
            process.stop()
        turn(cycle)
        if cycle == 2:
            limpet(endpoint.url, *follow, host=False)
    time.sleep(1.5)
    append(path, "end")
    wait_for(endpoint, [*expected, "end"])


@pytest.fixture
def linked(folder):
    """A link as kubelet makes them, to a file that is rotated where it lies: (what path= is, the file)."""
    (folder / "containers").mkdir()
    (folder / "pods").mkdir()
    os.symlink(folder / "pods/0.log", folder / "containers/a.log")
    return f"log.app.path={folder}/containers/*.log", folder / "pods/0.log"


def test_what_a_link_leads_to_is_rotated_faster_than_files_are_looked_for(limpet, endpoint, linked):
    follow, file = linked
    append(file, "0")
    rarely = [one.replace("discover=200ms", "discover=1h") for one in QUICK]
    limpet(endpoint.url, follow, *rarely, host=False)
    wait_for(endpoint, ["0"])
    for turn in range(1, 5):
        os.rename(file, f"{file}.{turn}")
        append(file, str(turn))
        wait_for(endpoint, [str(n) for n in range(turn + 1)])


@pytest.mark.parametrize("how", ["renamed", "copied"])
def test_what_a_link_leads_to_is_rotated_while_limpet_is_down(limpet, endpoint, linked, how):
    follow, file = linked
    lines = [f"line {n} of a container" for n in range(60)]
    append(file, *lines[:20])
    process = limpet(endpoint.url, follow, *QUICK, host=False)
    wait_for(endpoint, lines[:20])
    time.sleep(0.3)  # Its head is known.
    process.stop()
    append(file, *lines[20:40])
    if how == "copied":
        shutil.copy(file, f"{file}.1")
        os.truncate(file, 0)
    else:
        os.rename(file, f"{file}.1")
    append(file, *lines[40:])
    limpet(endpoint.url, follow, *QUICK, host=False)
    until(lambda: len(bodies(endpoint)) >= 60, 10.0, "all lines")
    assert sorted(bodies(endpoint)) == sorted(lines)
    assert len({its["log.record.uid"] for _, its in records(endpoint)}) == 60
