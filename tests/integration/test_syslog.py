"""limpet takes syslog from real senders: logger(1), Python's logging, rsyslog; and the kernel's log.

rsyslog is run where it is installed.
"""

import logging
import logging.handlers
import os
import shutil
import socket
import stat
import subprocess
import time

import pytest

from endpoint import Answer
from limpet import FAST, call, free_port, may_read_kmsg, until
from otlp import any_value, attributes

QUICK = ("queue.batch_delay=50ms", *FAST)


def log_records(endpoint):
    """Every record that has arrived."""
    return [record for request in endpoint.requests if request.signal == "logs"
            for resource in request.message.resource_logs
            for scope in resource.scope_logs for record in scope.log_records]


def records(endpoint):
    """The same without limpet's own events: [(record, attributes)]."""
    return [(record, attributes(record.attributes)) for record in log_records(endpoint) if not record.event_name]


def bodies(endpoint):
    return [any_value(record.body) for record, _ in records(endpoint)]


def events(endpoint, name):
    return [attributes(record.attributes) for record in log_records(endpoint) if record.event_name == name]


def wait_for_record(endpoint, body, timeout=10.0):
    def there():
        found = [(r, a) for r, a in records(endpoint) if any_value(r.body) == body]
        return found[0] if found else None
    return until(there, timeout, f"a record {body!r}")


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def network(limpet, endpoint, port):
    """limpet with a source at UDP and TCP."""
    return limpet(endpoint.url, "log.net.type=syslog", f"log.net.listen=127.0.0.1:{port}", *QUICK, host=False)


@pytest.fixture
def device(folder, limpet, endpoint):
    """limpet with a source at a Unix socket; its path."""
    path = folder / "log"
    limpet(endpoint.url, "log.dev.type=syslog", f"log.dev.listen=unix:{path}", *QUICK, host=False)
    return path


needs_logger = pytest.mark.skipif(shutil.which("logger") is None, reason="no logger(1) here")


@needs_logger
@pytest.mark.parametrize("transport", [
    ["--udp", "--rfc5424"], ["--udp", "--rfc3164"], ["--tcp", "--octet-count", "--rfc5424"],
    ["--tcp", "--octet-count", "--rfc3164"], ["--tcp", "--rfc5424"], ["--tcp", "--rfc3164"]], ids=" ".join)
def test_logger_over_the_network(transport, network, endpoint, port):
    before = time.time()
    more = ["--msgid", "START"] if "--rfc5424" in transport else []
    subprocess.run(["logger", "--server", "127.0.0.1", "--port", str(port), *transport, "--tag", "probe", "--id=77",
                    "--priority", "local3.err", *more, "a caf\u00e9 is hot"], check=True)
    record, attached = wait_for_record(endpoint, "a caf\u00e9 is hot")
    assert (record.severity_number, record.severity_text) == (17, "err")
    assert attached["syslog.facility"] == 19
    assert attached["service.name"] == "probe"
    assert str(attached["syslog.procid"]) == "77"
    assert attached["host.name"]
    assert "network.peer.address" not in attached  # It is this host.
    assert abs(record.time_unix_nano / 1e9 - before) < 5
    assert record.observed_time_unix_nano / 1e9 >= before
    assert len(attached["log.record.uid"]) == 26
    if more:
        assert attached["syslog.msgid"] == "START"


@needs_logger
def test_logger_over_a_unix_socket(device, endpoint):
    mode = os.stat(device).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o666
    subprocess.run(["logger", "--socket", str(device), "--tag", "probe", "--id=77", "-p", "daemon.warning", "hot"],
                   check=True)
    record, attached = wait_for_record(endpoint, "hot")
    assert (record.severity_number, record.severity_text) == (13, "warning")
    assert attached["syslog.facility"] == 3
    assert attached["service.name"] == "probe"


@pytest.mark.parametrize("kind", ["udp", "tcp", "unix"])
def test_the_handler_of_python(kind, request, endpoint, port):
    """It puts a NUL behind each message, over TCP too, and no time in front."""
    if kind == "unix":
        address, options = str(request.getfixturevalue("device")), {}
    else:
        request.getfixturevalue("network")
        address = ("127.0.0.1", port)
        options = {"socktype": socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM}
    handler = logging.handlers.SysLogHandler(address, facility="user", **options)
    log = logging.Logger("probe")
    log.addHandler(handler)
    rest = "" if kind == "tcp" else "\nsecond"  # There a newline ends a message, as it does for rsyslog.
    for number in range(20):
        log.warning("line %d: caf\u00e9%s", number, rest)
    handler.close()
    until(lambda: len(records(endpoint)) == 20, what="20 records")
    assert bodies(endpoint) == [f"line {n}: caf\u00e9{rest}" for n in range(20)]
    assert {record.severity_text for record, _ in records(endpoint)} == {"warning"}


def test_the_text_of_a_message_may_be_json(limpet, endpoint, port):
    limpet(endpoint.url, "log.net.type=syslog", f"log.net.listen=127.0.0.1:{port}", "log.net.format=json", *QUICK,
           host=False)
    with socket.create_connection(("127.0.0.1", port)) as sender:
        for text in ('{"message":"a","n":1,"level":"error"}', '@cee: {"message":"b","n":2}', "no json"):
            sender.sendall(f"<14>1 - - app - - - {text}\n".encode())
        until(lambda: len(records(endpoint)) == 3, what="3 records")
    assert bodies(endpoint) == ["a", "b", "no json"]
    assert [its.get("n") for _, its in records(endpoint)] == [1, 2, None]
    assert [record.severity_number for record, _ in records(endpoint)] == [17, 9, 9]


@pytest.fixture
def rsyslog(folder, port):
    """Starts rsyslogd, which forwards what comes into a socket of its own: rsyslog(protocol) -> its path."""
    started = []

    def start(protocol):
        framing = 'TCP_Framing="octet-counted"' if protocol == "tcp-counted" else ""
        config = folder / "rsyslog.conf"
        config.write_text(
            f'global(workDirectory="{folder}")\n'
            f'module(load="imuxsock" SysSock.Use="off")\n'
            f'input(type="imuxsock" Socket="{folder}/in" CreatePath="on" RateLimit.Interval="0")\n'
            f'*.* action(type="omfwd" Target="127.0.0.1" Port="{port}" Protocol="{protocol.split("-", 1)[0]}" {framing}\n'
            f'           Template="RSYSLOG_SyslogProtocol23Format")\n')
        started.append(subprocess.Popen(["rsyslogd", "-n", "-f", config, "-i", folder / "pid"]))
        until((folder / "in").exists, what="rsyslogd's socket")
        return folder / "in"
    yield start
    for process in started:
        process.terminate()
        process.wait(10)


@needs_logger
@pytest.mark.skipif(shutil.which("rsyslogd") is None, reason="no rsyslogd here")
@pytest.mark.parametrize("protocol", ["udp", "tcp", "tcp-counted"])
def test_rsyslog(protocol, network, rsyslog, endpoint):
    path = rsyslog(protocol)
    lines = "".join(f"line {number}\n" for number in range(50))
    subprocess.run(["logger", "--socket", path, "-t", "probe", "-p", "user.info"], input=lines, text=True, check=True)

    def found():  # rsyslog's format has a second blank in front of the text.
        return [(any_value(r.body).strip(), a["service.name"]) for r, a in records(endpoint)
                if a.get("service.name") == "probe"]
    until(lambda: len(found()) >= 50, what="50 records")
    assert found() == [(f"line {n}", "probe") for n in range(50)]


def test_many_connections_and_hostile_ones(network, endpoint, port):
    """Slow, broken and endless senders beside honest ones: these lose nothing."""
    hostile = []
    for payload in (b"<14>never finished", b"999999 <14>" + b"x" * 5000, b"\xff\xfe\x00\x01", b"5 <14>xbroken",
                    b"<14>" + b"y" * 40_000):
        sender = socket.create_connection(("127.0.0.1", port))
        sender.sendall(payload)
        hostile.append(sender)
    honest = [socket.create_connection(("127.0.0.1", port)) for _ in range(8)]
    for number in range(200):
        for who, sender in enumerate(honest):
            text = f"<14>1 - h app - - - {who}:{number}"
            sender.sendall(f"{text}\n".encode() if who % 2 else f"{len(text)} {text}".encode())
    for sender in honest:
        sender.close()
    want = {f"{who}:{number}" for who in range(8) for number in range(200)}
    until(lambda: want <= set(bodies(endpoint)), what="every line")
    for sender in hostile:
        sender.close()
    until(lambda: "never finished" in bodies(endpoint), what="the unfinished message")
    for who in range(8):
        of_one = [b for b in bodies(endpoint) if b.startswith(f"{who}:")]
        assert of_one == [f"{who}:{number}" for number in range(200)]
    assert network.lines("the framing of syslog messages is broken: the connection is closed")
    assert network.status()["ledger"]["logs"]["dropped"] == 0


def test_a_flood_is_accounted_for(limpet, endpoint, port):
    """Without a destination and with little memory, datagrams are dropped, counted and announced."""
    endpoint.default = Answer(503)
    process = limpet(endpoint.url, "log.net.type=syslog", f"log.net.listen=127.0.0.1:{port}",
                     "spool.overflow=pause_sources", "spool.durability=never", "agent.memory=1536KiB",
                     "queue.batch_bytes=32KiB", *QUICK, host=False)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sent = 0
    for _ in range(60):
        for _ in range(500):
            sender.sendto(b"<14>1 - h app - - - " + os.urandom(300).hex().encode(), ("127.0.0.1", port))
            sent += 1
        if process.status()["ledger"]["logs"]["dropped_by"].get("source_full", 0) > 1000:
            break
    # What the kernel dropped included; limpet's own events count, too.
    status = process.wait_for(lambda s: s["ledger"]["logs"]["collected"] >= sent, what="all that was sent")
    assert status["ledger"]["logs"]["collected"] <= sent + 10
    assert status["ledger"]["logs"]["dropped_by"].get("source_full", 0) > 0
    # A stream waits instead.
    stream = socket.create_connection(("127.0.0.1", port))
    stream.sendall(b"<14>1 - h app - - - patient\n")
    time.sleep(0.3)
    endpoint.default = Answer()
    wait_for_record(endpoint, "patient", timeout=30)
    lost = until(lambda: [e for e in events(endpoint, "limpet.data_lost") if e["limpet.reason"] == "source_full"],
                 timeout=30, what="the loss is told of")
    assert lost[0]["limpet.signal"] == "logs"


def test_a_stop_takes_what_has_come(network, endpoint, port):
    sender = socket.create_connection(("127.0.0.1", port))
    sender.sendall(b"<14>1 - h app - - - whole\n<14>1 - h app - - - unfinished")
    until(lambda: "whole" in bodies(endpoint), what="the whole message")
    assert network.stop() == 0
    assert "unfinished" in bodies(endpoint)


@pytest.mark.parametrize("what", ["udp", "tcp", "folder", "file"])
def test_what_cannot_be_opened_is_said(what, folder, endpoint, port):
    taken, listen = None, f"127.0.0.1:{port}"
    if what in ("udp", "tcp"):
        taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if what == "udp" else socket.SOCK_STREAM)
        taken.bind(("127.0.0.1", port))
        if what == "tcp":
            taken.listen()
    if what == "folder":
        listen = f"unix:{folder}/none/log"
    if what == "file":
        (folder / "precious").write_text("x")
        listen = f"unix:{folder}/precious"
    config = folder / "x.ini"
    config.write_text(f"[agent]\nstate_dir = {folder}/s\nrun_dir = {folder}/r\n[destination.a]\nurl = {endpoint.url}\n"
                      f"[health]\nlisten =\n[log.net]\ntype = syslog\nlisten = {listen}\n")
    ended = call("run", "-c", config)
    assert ended.returncode == 69, ended.stderr
    assert "log source" in ended.stderr and "net" in ended.stderr, ended.stderr
    if what == "file":
        assert (folder / "precious").read_text() == "x"
    if taken:
        taken.close()


def test_a_listener_for_others_has_to_be_wished(folder):
    config = folder / "x.ini"
    text = "[destination.a]\nurl = http://127.0.0.1:1\n[log.net]\ntype = syslog\nlisten = 0.0.0.0:5514\n"
    config.write_text(text)
    refused = call("check", "-c", config)
    assert refused.returncode == 78 and "insecure" in refused.stderr
    config.write_text(text + "insecure = true\n")
    assert call("check", "-c", config).returncode == 0


def test_it_sleeps_when_nothing_comes(network, port):
    """Connections that are silent cost nothing."""
    senders = [socket.create_connection(("127.0.0.1", port)) for _ in range(16)]
    time.sleep(0.5)

    def switches():
        with open(f"/proc/{network.process.pid}/status", encoding="ascii") as file:
            return sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
    before = switches()
    time.sleep(2)
    assert switches() - before <= 5
    for sender in senders:
        sender.close()


# The kernel's log.

needs_kmsg = pytest.mark.skipif(not may_read_kmsg(), reason="/dev/kmsg cannot be read here")


def kernel_messages():
    """{number: text} of all that the kernel has."""
    device = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    found = {}
    try:
        while True:
            try:
                head, _, text = os.read(device, 8192).partition(b";")
                found[int(head.split(b",")[1])] = text.split(b"\n")[0]
            except BrokenPipeError:
                continue
            except BlockingIOError:
                return found
    finally:
        os.close(device)


def kernel(endpoint):
    """{number: body} of what has arrived, the number out of the uid (its last 48 bits)."""
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    found = {}
    for record, attached in records(endpoint):
        number = 0
        for digit in attached["log.record.uid"]:
            number = number << 5 | digits.index(digit)
        found[number & (1 << 48) - 1] = any_value(record.body)
    return found


@needs_kmsg
def test_the_kernels_log_from_its_beginning(limpet, endpoint):
    there = kernel_messages()
    settings = ("log.kernel.type=kmsg", "log.kernel.start_at=beginning", *QUICK)
    process = limpet(endpoint.url, *settings, host=False)
    until(lambda: max(there) in kernel(endpoint), what="the newest message")
    seen = kernel(endpoint)
    assert not set(there) - set(seen)
    assert not [number for number, text in there.items() if b"\\" not in text and seen[number] != text.decode()]
    for record, attached in records(endpoint):
        assert record.severity_text
        assert attached["syslog.facility"] >= 0
        assert record.time_unix_nano <= record.observed_time_unix_nano
    assert process.stop() == 0

    # The next process goes on where this one was.
    count = len(records(endpoint))
    again = limpet(endpoint.url, *settings, host=False)
    time.sleep(1)
    assert len(records(endpoint)) <= count + 20  # Whatever the kernel has said meanwhile.
    assert len(kernel(endpoint)) == len(records(endpoint))  # Nothing twice.
    again.stop()


@needs_kmsg
@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes to /dev/kmsg")
def test_what_a_program_writes_to_the_kernels_log(limpet, endpoint):
    limpet(endpoint.url, "log.kernel.type=kmsg", "log.kernel.priority=warning", *QUICK, host=False)
    time.sleep(0.3)
    before = time.time()
    for level, text in ((6, "not wanted"), (4, "it is hot\u00e9")):
        device = os.open("/dev/kmsg", os.O_WRONLY)
        os.write(device, f"<{3 << 3 | level}>limpet-test: {text}\n".encode())  # Without a newline more may follow.
        os.close(device)
    record, attached = wait_for_record(endpoint, "limpet-test: it is hot\u00e9")
    assert "limpet-test: not wanted" not in bodies(endpoint)
    assert (record.severity_text, attached["syslog.facility"]) == ("warning", 3)
    assert abs(record.time_unix_nano / 1e9 - before) < 3
