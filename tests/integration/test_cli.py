"""What users type and look at: commands, exit codes, signals, the listener, the sink."""

import contextlib
import http.client
import json
import os
import pathlib
import pty
import re
import resource
import signal
import socket
import subprocess
import threading
import time

import pytest

from endpoint import Answer, Endpoint
from limpet import FAST, LIMPET, SOURCE, Limpet, balances, call, free_port, until

COMMANDS = ("run", "check", "status", "health", "reload", "spool", "dead", "backup", "restore",
            "sink", "version")


def fetch(port, path, method="GET", **headers):
    """Asks the listener. Returns (status, headers, body)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


@pytest.fixture
def port():
    return free_port()


# Commands that need no process.

def test_help():
    done = call("--help")
    assert done.returncode == 0
    assert all(re.search(rf"^  {command} ", done.stdout, re.M) for command in COMMANDS)
    assert call("-h").stdout == done.stdout
    for command in COMMANDS:
        for option in ("-h", "--help"):
            done = call(command, option)
            assert done.returncode == 0 and done.stderr == ""
            assert done.stdout.startswith(f"usage: limpet {command}")
            assert all(len(line) <= 100 for line in done.stdout.splitlines())
    for command in ("spool", "dead"):
        help = call(command, "--help").stdout
        assert all(re.search(rf"^  {action} ", help, re.M) for action in ("list", "show"))
        assert call(command, "list", "--help").stdout == help


def test_version():
    done = call("version")
    assert done.returncode == 0
    assert re.match(r"limpet \d+\.\d+\.\d+ \S+\n", done.stdout)
    assert call("--version").stdout == done.stdout
    version = json.loads(call("version", "--json").stdout)
    assert f"limpet {version['version']} {version['target']}" == done.stdout.splitlines()[0]
    built = pathlib.Path(LIMPET).with_name("CMakeCache.txt").read_text()
    expected = {"libcurl", "mbedtls", "c-ares", "sqlite", "nanopb", "inih", "libdeflate", "http-parser"}
    if "LIMPET_JOURNALD:BOOL=OFF" not in built:
        expected |= {"zstd", "lz4"}
    if "LIMPET_PATTERNS:BOOL=OFF" not in built:
        expected |= {"pcre2"}
    assert version["libraries"].keys() == expected
    assert all(re.match(r"r?\d+(\.\d+)*$", v) for v in version["libraries"].values()), version


@pytest.mark.parametrize("name", ["limpet.ini", "demo.ini"])
def test_shipped_configurations(name):
    done = call("check", "-c", SOURCE / "config" / name)
    assert done.returncode == 0 and done.stderr == ""


def test_check_prints_what_check_accepts(folder):
    """The effective configuration is a configuration; what it means does not change."""
    first = folder / "first.ini"
    first.write_text("""\
[agent]
memory = 2MiB
log_format = json
[resource]
site = "plant; 7 "
quote = "\\"a\\\\b\\""
dollar = $$HOME
[host]
interval = 1500ms
metrics = load, cpu
[queue]
batch_bytes = 32KiB
[destination.primary]
url = http://127.0.0.1:4318/otlp
header.X-Scope-OrgID = edge
compression = none
[retry]
multiplier = 1.5
[health]
listen =
""")
    done = call("check", "-c", first)
    assert done.returncode == 0 and done.stderr == ""
    second = folder / "second.ini"
    second.write_text(done.stdout)
    again = call("check", "-c", second)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == done.stdout
    assert "interval = 1500ms" in done.stdout and "edge" not in done.stdout, "a header may be a secret"
    pools = {name: int(size) for name, size in re.findall(r"^;   (\w+) +(\d+)  ", done.stdout, re.M)}
    assert pools.pop("total") == sum(pools.values()) <= 2 << 20
    assert pools.keys() >= {"queue", "curl", "tls", "libc", "gzip", "slab", "spool"}


def test_environment_in_the_configuration(folder):
    path = folder / "limpet.ini"
    path.write_text("[resource]\nsite = ${SITE}-${ROOM:-7}\n"
                    "[destination.a]\nurl = http://127.0.0.1:1\n")
    done = call("check", "-c", path, env={**os.environ, "SITE": "plant"})
    assert "site = plant-7\n" in done.stdout


# Commands that ask the running process.

def test_status(limpet, endpoint):
    process = limpet(endpoint.url, "self.interval=200ms")
    endpoint.wait(3)
    status = json.loads(process.ask("status", "--json").stdout)
    assert {"version", "instance", "uptime_seconds", "health", "ledger", "held", "queue", "spool",
            "destinations", "sources", "clock", "pools", "sandbox"} <= status.keys()
    assert {"ok", "delivery", "reasons"} <= status["health"].keys()
    assert status["ledger"].keys() == {"metrics", "logs", "traces"}
    for account in status["ledger"].values():
        assert {"collected", "delivered", "rejected", "dropped", "dead", "held"} <= account.keys()
    assert balances(status["ledger"])
    assert {"open", "memory", "spool"} <= status["held"].keys()
    assert {"batches", "bytes", "capacity_bytes", "oldest_seconds"} <= status["queue"].keys()
    assert {"state", "batches", "bytes", "max_bytes", "written_bytes",
            "slowest_commit_seconds", "problem", "oldest_seconds", "syncs",
            "damaged"} <= status["spool"].keys()
    assert status["spool"]["state"] == "calm"
    destination = status["destinations"][0]
    assert {"name", "url", "priority", "active", "breaker", "last_success",
            "last_error"} <= destination.keys()
    assert (destination["name"], destination["url"]) == ("primary", endpoint.url)
    assert {"state", "skew_seconds", "steps"} <= status["clock"].keys()
    assert {"name", "bytes", "used", "peak"} <= status["pools"][0].keys()
    assert all(p["used"] <= p["peak"] <= p["bytes"] for p in status["pools"])
    assert {"queue", "curl", "tls"} <= {p["name"] for p in status["pools"]}
    assert [s["name"] for s in status["sources"]] == ["host", "self"]

    done = process.ask("status")
    assert done.returncode == 0
    for word in ("healthy", "metrics", "delivered", "primary", endpoint.url, "queue", "clock", "curl"):
        assert word in done.stdout
    assert "\x1b" not in done.stdout, "no colour into a pipe"


def on_terminal(process, *arguments, **environment):
    """What the command prints on a terminal."""
    parent, child = pty.openpty()
    running = subprocess.Popen(
        [LIMPET, *arguments, "-c", process.config], stdout=child, stderr=child,
        env={**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, "TERM": "xterm",
             **environment})
    os.close(child)
    printed = b""
    while True:
        try:
            got = os.read(parent, 65536)
        except OSError:
            break
        if not got:
            break
        printed += got
        if "--watch" in arguments and printed.count(b"uptime") + printed.count(b"  up ") >= 2:
            running.send_signal(signal.SIGINT)
    os.close(parent)
    running.wait(10)
    return printed.decode()


def test_colour(limpet, endpoint):
    process = limpet(endpoint.url)
    endpoint.wait(1)
    assert "\x1b[32m" in on_terminal(process, "status")
    assert "\x1b" not in on_terminal(process, "status", NO_COLOR="1")
    assert "\x1b" not in on_terminal(process, "status", "--json")
    assert "\x1b[2J" in on_terminal(process, "status", "--watch")


def test_watch_into_a_pipe(limpet, endpoint):
    process = limpet(endpoint.url)
    running = subprocess.Popen([LIMPET, "status", "--watch", "--json", "-c", process.config],
                               stdout=subprocess.PIPE)
    try:
        first, second = (json.loads(running.stdout.readline()) for _ in range(2))
        assert second["uptime_seconds"] - first["uptime_seconds"] > 0.9
    finally:
        running.kill()
        running.wait()
        running.stdout.close()


def test_health_command(limpet, endpoint):
    process = limpet(endpoint.url)
    endpoint.wait(1)
    done = process.ask("health")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 1
    assert json.loads(done.stdout)["ok"]
    process.stop()
    for command in ("health", "status", "reload"):
        done = process.ask(command)
        assert done.returncode == 69
        assert "no limpet runs" in done.stderr and f"{process.folder}/run" in done.stderr


def test_a_stopped_process_does_not_hang_who_asks(limpet, endpoint):
    process = limpet(endpoint.url)
    endpoint.wait(1)
    process.signal(signal.SIGSTOP)
    try:
        done = process.ask("health", timeout=30)
    finally:
        process.signal(signal.SIGCONT)
    assert done.returncode == 69 and "does not answer" in done.stderr


def test_reload_says_that_it_changes_nothing(limpet, endpoint):
    process = limpet(endpoint.url)
    done = process.ask("reload")
    assert done.returncode == 69
    assert "not available in this build" in done.stdout + done.stderr
    assert "nothing was changed" in done.stdout + done.stderr
    process.signal(signal.SIGHUP)
    line = process.wait_for_log("reload")[0]
    assert "nothing was changed" in line["verdict"]
    count = len(endpoint.requests)
    endpoint.wait(count + 2)


def test_control_socket_is_private(limpet, endpoint, folder):
    limpet(endpoint.url)
    assert (folder / "run/limpet.sock").stat().st_mode & 0o777 == 0o600
    assert (folder / "state").stat().st_mode & 0o777 == 0o700


# The own log.

def test_log_formats(limpet, endpoint):
    process = limpet(endpoint.url, "agent.log_format=text")
    process.stop()
    for line in process.log.splitlines():
        assert re.match(r'time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=(info|warn|error) msg="', line)


def test_json_log(folder, endpoint):
    process = Limpet(folder, endpoint.url, "agent.log_format=json", wait=False)
    try:
        endpoint.wait(2)
        assert process.stop() == 0
    finally:
        process.kill()
    lines = [json.loads(line) for line in process.log.splitlines()]
    assert all({"time", "level", "msg"} <= line.keys() for line in lines)
    ledger = [line for line in lines if line["msg"] == "ledger"][-1]
    assert ledger["collected"] == ledger["delivered"] > 0, "numbers are numbers"


def test_log_level(folder, endpoint):
    process = Limpet(folder, endpoint.url, "agent.log_level=error", wait=False)
    try:
        endpoint.wait(2)
        assert process.stop() == 0
    finally:
        process.kill()
    assert process.log == ""


def test_a_secret_is_not_logged(limpet):
    process = limpet(f"http://bob:hunter2@127.0.0.1:{free_port()}",
                     "destination.primary.header.Authorization=Bearer hunter2", *FAST)
    process.wait_for(lambda s: s["destinations"][0]["last_error"])
    process.signal(signal.SIGUSR1)
    process.wait_for_log("health")
    told = process.log + process.ask("status").stdout + process.ask("status", "--json").stdout
    assert "hunter2" not in told


# Signals.

def test_usr1_logs_the_status(limpet, endpoint):
    process = limpet(endpoint.url)
    endpoint.wait(2)
    process.signal(signal.SIGUSR1)
    process.wait_for_log("health")
    assert int(process.lines("ledger")[0]["collected"]) > 0
    assert int(process.lines("queue")[0]["capacity_bytes"]) > 0
    assert process.lines("destination")[0]["name"] == "primary"
    assert process.process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_graceful_stop(limpet, endpoint, number):
    process = limpet(endpoint.url)
    endpoint.wait(2)
    process.signal(number)
    assert process.process.wait(5) == 0
    account = process.final_account()
    assert account["delivered"] == account["collected"] and account["dropped"] == 0
    assert process.lines("stopped")
    assert not (process.folder / "run/limpet.sock").exists()


NO_SPOOL = "spool.durability=never"


@pytest.mark.parametrize("peer", ["refusing", "silent"])
def test_stop_without_a_destination(limpet, endpoint, peer):
    """Without a spool: waits for shutdown_timeout and no longer; what is left is dropped, and counted."""
    endpoint.default = Answer(never=True)
    url = endpoint.url if peer == "silent" else f"http://127.0.0.1:{free_port()}"
    process = limpet(url, *FAST, NO_SPOOL, "agent.shutdown_timeout=1s")
    process.wait_for(lambda s: s["queue"]["batches"] >= 3)
    began = time.monotonic()
    assert process.stop() == 0
    assert 0.9 < time.monotonic() - began < 3
    account = process.final_account()
    assert account["dropped"] == account["collected"] > 0 and account["held"] == 0
    assert not list((process.folder / "state").glob("spool*")), "never: no file is made"


@pytest.mark.parametrize("peer", ["refusing", "silent"])
def test_stop_without_a_destination_keeps_all(limpet, endpoint, peer):
    """With a spool nothing is lost: the next start has it, and delivers it first."""
    endpoint.default = Answer(never=True)
    port = free_port()
    url = endpoint.url if peer == "silent" else f"http://127.0.0.1:{port}"
    process = limpet(url, *FAST, "agent.shutdown_timeout=2s")
    process.wait_for(lambda s: s["ledger"]["metrics"]["collected"] > 0 and s["uptime_seconds"] > 1)
    began = time.monotonic()
    assert process.stop() == 0
    assert time.monotonic() - began < 3
    account = process.final_account()
    assert account["dropped"] == 0 and account["held"] == account["collected"] > 0

    endpoint.default = Answer()
    again = limpet(endpoint.url, *FAST, host=False)
    status = again.wait_for(lambda s: s["ledger"]["metrics"]["held"] == 0)
    account_now = status["ledger"]["metrics"]
    assert account_now["delivered"] == account_now["collected"] == account["collected"]
    assert "without a stop" not in again.log


def test_second_term_stops_at_once(limpet):
    process = limpet(f"http://127.0.0.1:{free_port()}", *FAST, NO_SPOOL, "agent.shutdown_timeout=1m")
    process.wait_for(lambda s: s["queue"]["batches"] >= 3)
    process.signal(signal.SIGTERM)
    process.wait_for_log("stopping")
    time.sleep(0.3)
    assert process.process.poll() is None, "still trying"
    process.signal(signal.SIGTERM)
    assert process.process.wait(3) == 0
    account = process.final_account()
    assert account["dropped"] == account["collected"] > 0


def test_no_cycle_while_stopping(limpet):
    process = limpet(f"http://127.0.0.1:{free_port()}", *FAST, "agent.shutdown_timeout=1s",
                     "host.interval=50ms", NO_SPOOL)
    process.wait_for(lambda s: s["queue"]["batches"] >= 3)
    process.signal(signal.SIGTERM)
    stopping = int(process.wait_for_log("stopping")[0]["held_items"])
    assert process.process.wait(5) == 0
    assert process.final_account()["collected"] == stopping


# The listener.

def test_pages(limpet, endpoint, port):
    process = limpet(endpoint.url, f"health.listen=127.0.0.1:{port}", "self.interval=200ms")
    endpoint.wait(2)
    code, headers, body = fetch(port, "/health")
    assert code == 200 and headers["Content-Type"] == "application/json"
    assert json.loads(body)["ok"] is True
    assert fetch(port, "/ready")[0] == 200
    code, headers, body = fetch(port, "/status")
    assert code == 200 and headers["Content-Type"] == "application/json"
    assert balances(json.loads(body)["ledger"])
    assert fetch(port, "/nowhere")[0] == 404
    assert fetch(port, "/reload", "POST")[0] == 404, "only over the control socket"
    code, headers, _ = fetch(port, "/health", "POST")
    assert code == 405 and "GET" in headers["Allow"]
    code, headers, body = fetch(port, "/health", "HEAD")
    assert code == 200 and body == "" and int(headers["Content-Length"]) > 0
    assert process.process.poll() is None


def families(text):
    """Parses an exposition. Returns {family: (type, [(name, labels, value)])}."""
    found, family = {}, None
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            family, kind = line.split()[2:]
            assert family not in found, f"{family} twice"
            found[family] = (kind, [])
        elif not line.startswith("#"):
            name, labels, value = re.fullmatch(r'([a-z_]+)(?:\{(.*)\})? (\S+)', line).groups()
            assert name.startswith(family), line
            found[family][1].append((name, labels or "", float(value)))
    return found


@pytest.mark.parametrize("open_metrics", [False, True])
def test_metrics_page(limpet, endpoint, port, open_metrics):
    limpet(endpoint.url, f"health.listen=127.0.0.1:{port}")
    endpoint.wait(3)
    accept = "application/openmetrics-text; version=1.0.0" if open_metrics else "*/*"
    code, headers, body = fetch(port, "/metrics", Accept=accept)
    assert code == 200
    assert headers["Content-Type"].startswith(
        "application/openmetrics-text" if open_metrics else "text/plain; version=0.0.4")
    assert body.endswith("# EOF\n") == open_metrics
    found = families(body)
    total = "" if open_metrics else "_total"
    names = {f"limpet_items_collected{total}", f"limpet_items_delivered{total}",
             f"limpet_items_rejected{total}", f"limpet_items_dropped{total}", "limpet_items_dead",
             "limpet_items_held", "limpet_in_flight", f"limpet_requests{total}",
             "limpet_request_duration_seconds", "limpet_breaker_state", "limpet_destination_active",
             f"limpet_clock_steps{total}", "limpet_clock_synchronized", "limpet_oldest_held_seconds",
             "limpet_pool_bytes", "limpet_pool_used_bytes", "limpet_pool_peak_bytes",
             "limpet_tick_delay_seconds", "limpet_build_info"}
    assert names <= found.keys()
    for family, (kind, samples) in found.items():
        assert samples, family
        assert len({(name, labels) for name, labels, _ in samples}) == len(samples), family
        if kind == "counter":
            assert all(name.endswith("_total") for name, _, _ in samples)
        if kind == "histogram":
            buckets = [value for name, _, value in samples if name.endswith("_bucket")]
            assert buckets == sorted(buckets)
            assert [v for n, _, v in samples if n.endswith("_count")] == [buckets[-1]]

    def value(family, labels):
        return sum(v for _, l, v in found[family][1] if labels in l)
    metrics = 'signal="metrics"'
    assert value(f"limpet_items_collected{total}", metrics) == (
        value(f"limpet_items_delivered{total}", metrics) + value(f"limpet_items_rejected{total}", metrics)
        + value(f"limpet_items_dropped{total}", metrics) + value("limpet_items_dead", metrics)
        + value("limpet_items_held", metrics)) > 0


def keeps_collecting(endpoint):
    endpoint.wait(len(endpoint.requests) + 5, timeout=8)


def answers(port):
    """Does the listener serve? A refusal with 503 counts as no."""
    try:
        return fetch(port, "/health")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def test_slow_clients(limpet, endpoint, port):
    """Those who send a byte now and then lose their place; the control socket has its own."""
    process = limpet(endpoint.url, f"health.listen=127.0.0.1:{port}")
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(30)]
    done = threading.Event()

    def trickle():
        text = b"GET /status HTTP/1.1\r\nX-Long: " + b"a" * 1000
        for byte in text:
            if done.wait(0.1):
                return
            for client in clients:
                try:
                    client.send(bytes([byte]))
                except OSError:
                    pass
    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        keeps_collecting(endpoint)
        assert process.ask("health").returncode == 0
        until(lambda: answers(port), 15, "a place", every=0.25)
        assert process.status()["sources"][0]["failed_in_a_row"] == 0
    finally:
        done.set()
        thread.join()
        for client in clients:
            client.close()


def test_a_thousand_connections(limpet, endpoint, port):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4096), most))
    process = limpet(endpoint.url, f"health.listen=127.0.0.1:{port}")
    clients = []
    for _ in range(1000):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", port))
        clients.append(client)
    try:
        keeps_collecting(endpoint)
        assert process.ask("status").returncode == 0
    finally:
        for client in clients:
            client.close()
    until(lambda: answers(port), 15, "a place", every=0.1)
    keeps_collecting(endpoint)


@pytest.mark.parametrize("data,codes", [
    (b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", ("431",)),
    (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 200_000, ("431",)),
    (b"\x00" * 100_000, ("400",)),
    (b"\x16\x03\x01\x02\x00\x01\x00" * 100, ("400",)),
    (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", ("400", "505")),
    (b"POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", ("400", "413")),
    (b"POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     ("400",)),
])
def test_hostile_requests(limpet, endpoint, port, data, codes):
    limpet(endpoint.url, f"health.listen=127.0.0.1:{port}")
    answered = []
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            with contextlib.suppress(OSError):  # Refused before all was sent.
                client.sendall(data)
            with contextlib.suppress(OSError):
                answer = client.recv(65536)
                if answer:
                    answered.append(answer.split()[1].decode())
    assert answered and set(answered) <= set(codes)
    assert answers(port)
    keeps_collecting(endpoint)


def test_listener_off(limpet, endpoint):
    process = limpet(endpoint.url, "health.listen=")
    endpoint.wait(1)
    sockets = {os.readlink(f"/proc/{process.process.pid}/fd/{fd}")
               for fd in os.listdir(f"/proc/{process.process.pid}/fd")}
    inodes = {s[8:-1] for s in sockets if s.startswith("socket:")}
    listening = [line.split()[9] for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
                 if line.split()[3] == "0A"]
    assert not inodes & set(listening)


# The sink.

class Sink:
    def __init__(self, folder, *options):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.out = folder / "sink.out"
        with open(self.out, "wb") as out, open(folder / "sink.err", "wb") as err:
            self.process = subprocess.Popen(
                [LIMPET, "sink", "--listen", f"127.0.0.1:{self.port}", *options], stdout=out, stderr=err)
        until(lambda: "listening" in (folder / "sink.err").read_text())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        assert self.process.wait(5) == 0

    def lines(self):
        return self.out.read_text().split("\n")[:-1]


def test_sink_shows_what_run_sends(limpet, folder):
    with Sink(folder) as sink:
        process = limpet(sink.url)
        process.wait_for(lambda s: s["ledger"]["metrics"]["delivered"] > 100)
        assert process.stop() == 0
        delivered = process.final_account()["delivered"]
        lines = until(lambda: len(sink.lines()) > delivered and sink.lines())
    items = [line for line in lines if not line.startswith("#")]
    assert len(items) == delivered
    assert any(re.search(r"system\.uptime +\{\} +[\d.]+ s$", line) for line in items)
    assert any("service.name=limpet" in line for line in lines if line.startswith("#"))


def test_sink_json(limpet, folder):
    with Sink(folder, "--json") as sink:
        process = limpet(sink.url)
        process.wait_for(lambda s: s["ledger"]["metrics"]["delivered"] > 100)
        assert process.stop() == 0
        delivered = process.final_account()["delivered"]
        lines = until(lambda: len(sink.lines()) >= delivered and sink.lines())
    items = [json.loads(line) for line in lines]
    assert len(items) == delivered
    assert {item["signal"] for item in items} == {"metrics"}


def test_sink_that_fails(limpet, folder):
    """Half the requests are refused with 503: everything arrives all the same, once; what a stop has no
    time for does after the next start."""
    arrived = 0
    for fail in ("50%", "0%"):
        with Sink(folder, "--json", "--fail", fail) as sink:
            process = limpet(sink.url, *FAST, "host.interval=50ms", "breaker.failures=100",
                             "agent.shutdown_timeout=4s")
            process.wait_for(lambda s: s["sources"][0]["cycles"] > 20)
            if fail == "0%":
                process.wait_for(lambda s: s["spool"]["batches"] == 0)
            else:
                until(lambda: process.lines("delivery fails"))
            assert process.stop() == 0
            account = process.final_account()
            until(lambda: arrived + len(sink.lines()) >= account["delivered"])
            arrived += len(sink.lines())
            assert arrived == account["delivered"]
    assert account["delivered"] == account["collected"]


def test_one_after_the_other(limpet, folder):
    """Two endpoints in turn on one port: a new one is found without a word."""
    port = free_port()
    with Endpoint(port=port) as first:
        process = limpet(first.url, *FAST)
        first.wait(2)
    process.wait_for(lambda s: s["health"]["delivery"] == "degraded")
    with Endpoint(port=port) as second:
        second.wait(2)
        process.wait_for(lambda s: s["health"]["delivery"] == "ok")
