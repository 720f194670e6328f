"""Whatever is wrong outside is a clear message or a counted outcome: never a crash, never a hang."""

import os
import shutil
import re
import socket
import subprocess

import pytest

from endpoint import Answer, Endpoint
from limpet import FAST, LIMPET, Limpet, call, free_port


def fails_to_start(process, code):
    """Waits for the end, which must come by itself. Returns the log."""
    assert process.process.wait(10) == code, process.log
    return process.log


@pytest.fixture
def failing(folder):
    """Starts a program that is expected to end by itself."""
    started = []

    def start(url, *settings, **options):
        started.append(Limpet(options.pop("folder", folder), url, *settings, wait=False, **options))
        return started[-1]
    yield start
    for process in started:
        process.kill()
        print(process.log)


# Files and directories.

def test_unreadable_root(limpet, endpoint):
    """Every group fails: unhealthy after three intervals, said once for each group."""
    process = limpet(endpoint.url, "host.root=/nonexistent", "host.interval=50ms",
                     "host.metrics=cpu, load, memory, network")
    status = process.wait_for(lambda s: not s["health"]["ok"])
    assert "every source fails" in status["health"]["reasons"][0]
    assert "not found" in status["health"]["reasons"][0]
    process.wait_for(lambda s: s["sources"][0]["cycles"] >= 10)
    source = process.status()["sources"][0]
    assert source["failed_in_a_row"] >= 10 and "/proc" in source["problem"]
    for group in ("cpu", "load", "memory", "network"):
        about = [line for line in process.log.splitlines()
                 if re.search(rf"level=(warn|error).*\b{group}\b", line)]
        assert len(about) == 1, f"{group}: once, not each cycle: {about}"
    assert process.metrics()["collected"] == 0
    assert process.stop() == 0


def test_a_group_that_fails_and_comes_back(limpet, endpoint, folder):
    root = folder / "root"
    (root / "proc").mkdir(parents=True)
    (root / "proc/loadavg").write_text("0.10 0.20 0.30 1/100 1234\n")
    process = limpet(endpoint.url, f"host.root={root}", "host.interval=50ms",
                     "host.metrics=load, memory")
    endpoint.wait(3)
    status = process.wait_for(lambda s: s["sources"][0]["problem"])
    assert status["health"]["ok"], "one group still works"
    assert "meminfo" in status["sources"][0]["problem"]
    (root / "proc/meminfo").write_text("MemTotal: 1000 kB\nMemFree: 400 kB\nMemAvailable: 500 kB\n")
    process.wait_for(lambda s: s["sources"][0]["problem"] is None)
    (root / "proc/meminfo").write_text("MemTotal: \x00\xff kB\n")
    process.wait_for(lambda s: s["sources"][0]["problem"])


def unprivileged(command_folder):
    """Popen's options for a process of nobody, who cannot write what root owns, nor perhaps enter
    the checkout: the program runs from a copy."""
    program = command_folder / "limpet"
    shutil.copy(LIMPET, program)
    program.chmod(0o755)
    return {"user": 65534, "group": 65534, "extra_groups": [], "cwd": command_folder,
            "executable": str(program)}


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another user")
def test_state_dir_of_another_user(limpet, endpoint, folder):
    """Read-only for us: said once, then everything works but what needs the directory."""
    for name in ("state", "run"):
        (folder / name).mkdir(mode=0o755)
    folder.chmod(0o755)
    process = limpet(endpoint.url, **unprivileged(folder))
    endpoint.wait(3)
    assert "the spool cannot be used" in process.log and "permission denied" in process.log
    assert len(process.lines("running")) == 1
    assert process.stop() == 0
    account = process.final_account()
    assert account["delivered"] == account["collected"] > 0


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another user")
def test_unreadable_configuration(folder):
    path = folder / "secret.ini"
    path.write_text("[agent]\n")
    path.chmod(0o600)
    folder.chmod(0o755)
    done = call("check", "-c", path, **unprivileged(folder))
    assert done.returncode == 77
    assert "secret.ini" in done.stderr and "permission denied" in done.stderr


def test_state_dir_below_a_file(limpet, endpoint, folder):
    """Cannot be made even by root."""
    (folder / "file").write_text("")
    process = limpet(endpoint.url, f"agent.state_dir={folder}/file/state")
    endpoint.wait(2)
    assert "the spool cannot be used" in process.log and "file/state" in process.log
    healthy, health = process.health()  # The control socket is in run_dir.
    assert not healthy and "the spool cannot be used" in health["reasons"][0]
    assert process.status()["spool"]["state"] == "unusable"
    assert process.stop() == 0


def test_run_dir_falls_back_to_state_dir(limpet, endpoint, folder):
    (folder / "file").write_text("")
    process = limpet(endpoint.url, f"agent.run_dir={folder}/file/run")
    endpoint.wait(1)
    assert (folder / "state/limpet.sock").is_socket()
    done = process.ask("health")
    assert done.returncode == 0, done.stderr


def test_neither_directory(limpet, endpoint, folder):
    (folder / "file").write_text("")
    process = limpet(endpoint.url, f"agent.run_dir={folder}/file/run",
                     f"agent.state_dir={folder}/file/state")
    endpoint.wait(3)
    assert "without a control socket" in process.log
    done = process.ask("status")
    assert done.returncode == 69 and "no limpet runs" in done.stderr
    assert process.stop() == 0


# Ports and other processes.

def test_port_in_use(failing, endpoint):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        log = fails_to_start(failing(endpoint.url, f"health.listen={address}"), 69)
    assert re.search(rf"cannot listen.*{address}.*in use", log)
    assert "msg=health" not in log


def test_address_of_another_host(failing, endpoint):
    log = fails_to_start(failing(endpoint.url, "health.listen=192.0.2.7:13133",
                                 "health.insecure=true"), 69)
    assert re.search(r"cannot listen.*192\.0\.2\.7:13133.*not found", log)


def test_second_process(limpet, failing, endpoint, folder):
    first = limpet(endpoint.url)
    other = folder / "other"
    other.mkdir()
    second = failing(endpoint.url, f"agent.run_dir={folder}/run", folder=other)
    log = fails_to_start(second, 75)
    assert "another limpet is running" in log and f"pid={first.process.pid}" in log
    assert first.ask("health").returncode == 0, "the first one did not notice"
    first.kill()
    third = limpet(endpoint.url, f"agent.run_dir={folder}/run", folder=other)
    assert third.process.poll() is None, "the lock and the socket of a dead process do not hinder"
    assert third.ask("health").returncode == 0


# Destinations that cannot be reached.

def test_unresolvable_host(limpet):
    process = limpet("http://collector.invalid:4318", *FAST)
    status = process.wait_for(lambda s: s["queue"]["batches"] >= 2 and s["destinations"][0]["last_error"],
                              timeout=20)
    assert "collector.invalid" in status["destinations"][0]["last_error"]
    assert "resolv" in status["destinations"][0]["last_error"]
    assert status["health"]["ok"] and status["health"]["delivery"] == "degraded"


def test_refused_connection(limpet):
    process = limpet(f"http://127.0.0.1:{free_port()}", *FAST)
    status = process.wait_for(lambda s: s["queue"]["batches"] >= 2)
    assert "connection refused" in status["destinations"][0]["last_error"]
    assert "may have arrived" not in status["destinations"][0]["last_error"]
    assert status["ledger"]["metrics"]["dropped"] == 0
    assert status["health"]["delivery"] == "degraded"


# Certificates.

@pytest.mark.parametrize("case,words", [
    ("another name", "another name"),
    ("expired", "expired"),
    ("not valid yet", "not valid yet"),
    ("unknown authority", "unknown certificate authority"),
])
def test_certificate_refused(limpet, authority, case, words):
    """Said by name; nothing is sent; held until the server has a better one."""
    server = {
        "another name": lambda: authority.server("other", ("other.example",), ("192.0.2.1",)),
        "expired": lambda: authority.server("expired", days=(-10, -1)),
        "not valid yet": lambda: authority.server("future", days=(1, 10)),
        "unknown authority": lambda: authority.server(),
    }[case]()
    trusted = authority.root if case != "unknown authority" else "/etc/ssl/certs/ca-certificates.crt"
    port = free_port()
    with Endpoint(tls=server, port=port) as endpoint:
        process = limpet(endpoint.url, f"destination.primary.tls_ca={trusted}", *FAST)
        status = process.wait_for(lambda s: s["queue"]["batches"] >= 2 and s["destinations"][0]["last_error"])
        assert words in status["destinations"][0]["last_error"]
        assert not endpoint.requests, "nothing was sent to the wrong peer"
    assert len(process.lines("delivery fails")) == 1
    if case == "unknown authority":
        return
    with Endpoint(tls=authority.server("good"), port=port) as endpoint:
        status = process.wait_for(lambda s: s["ledger"]["metrics"]["delivered"] > 0
                                  and s["ledger"]["metrics"]["held"] == 0)
        assert status["ledger"]["metrics"]["dropped"] == 0


def test_tls_insecure_warns(limpet, authority):
    with Endpoint(tls=authority.server("expired", days=(-10, -1))) as endpoint:
        process = limpet(endpoint.url, "destination.primary.tls_insecure=true")
        endpoint.wait(2)
        assert len([line for line in process.log.splitlines() if "tls_insecure" in line]) == 1


def test_https_to_an_http_port(limpet, endpoint, authority):
    process = limpet(endpoint.url.replace("http", "https"),
                     f"destination.primary.tls_ca={authority.root}", *FAST)
    status = process.wait_for(lambda s: s["destinations"][0]["last_error"])
    assert "TLS" in status["destinations"][0]["last_error"]
    assert status["ledger"]["metrics"]["dropped"] == 0


def test_http_to_an_https_port(limpet, tls_endpoint):
    process = limpet(tls_endpoint.url.replace("https", "http"), *FAST)
    process.wait_for(lambda s: s["destinations"][0]["last_error"])
    assert process.metrics()["delivered"] == 0


@pytest.mark.parametrize("case", ["missing", "empty", "not certificates", "a directory"])
def test_bad_tls_ca(failing, folder, case):
    path = folder / "ca.pem"
    if case == "a directory":
        path.mkdir()
    elif case != "missing":
        path.write_text("" if case == "empty" else "-----BEGIN CERTIFICATE-----\nZm9v\n")
    log = fails_to_start(failing("https://127.0.0.1:1", f"destination.primary.tls_ca={path}"), 78)
    assert re.search(rf"tls_ca.*destination=primary.*{path}", log)


# Endpoints that misbehave for as long as one looks (single ones are in test_delivery.py).

@pytest.mark.parametrize("answer", [
    pytest.param(Answer(raw=bytes(range(256)) * 1000), id="garbage"),
    pytest.param(Answer(raw=b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200_000), id="endless-headers"),
    pytest.param(Answer(raw=b"HTTP/1.1 099 No\r\n\r\n"), id="no-such-status"),
    pytest.param(Answer(500, body=b"\n" * 10_000_000), id="500-10MB"),
    pytest.param(Answer(429, headers={"Retry-After": "99999999999999999999"}), id="endless-pause"),
    pytest.param(Answer(503, headers={"Retry-After": "tomorrow"}), id="no-pause"),
    pytest.param(Answer(503, headers={"Retry-After": "-5"}), id="negative-pause"),
])
def test_endpoint_that_always_misbehaves(limpet, endpoint, answer):
    endpoint.default = answer
    process = limpet(endpoint.url, *FAST, "host.interval=50ms", "agent.shutdown_timeout=100ms")
    status = process.wait_for(lambda s: s["sources"][0]["cycles"] >= 10)
    account = status["ledger"]["metrics"]
    assert account["rejected"] == 0 and account["dropped"] == 0
    assert status["sources"][0]["failed_in_a_row"] == 0, "collecting goes on meanwhile"
    assert process.stop() == 0
    process.final_account()


# Configurations.

def check(folder, text, *options, **kwargs):
    path = folder / "limpet.ini"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return call("check", "-c", path, *options, **kwargs)


DESTINATION = "[destination.a]\nurl = http://127.0.0.1:4318\n"


def test_all_errors_at_once(folder):
    done = check(folder, """\
[agent]
memroy = 3MiB
log_level = loud
[hosts]
interval = 10s
[host]
interval = 1ms
interval = 3s
metrics = cpu, flesh
[destination.a]
url = ftp://x
timeout = soon
[receive.statsd]
listen = 127.0.0.1:8125
[health]
listen = 0.0.0.0:13133
""")
    assert done.returncode == 78 and done.stdout == ""
    expected = [
        (2, r"agent\.memroy.*unknown key.*did you mean memory\?"),
        (3, r"log_level.*loud.*error, warn, info, debug"),
        (4, r"hosts.*unknown section.*did you mean host\?"),
        (7, r"host\.interval.*10ms to 30d"),
        (8, r"host\.interval.*already set at .*:7"),
        (9, r"metrics.*unknown value flesh.*did you mean flash\?"),
        (11, r"url.*http://.*https://"),
        (12, r"timeout.*duration"),
        (13, r"receive\.statsd.*not available in this build"),
        (16, r"listen.*insecure"),
    ]
    lines = done.stderr.splitlines()
    assert len(lines) == len(expected), done.stderr
    for line, (number, words) in zip(lines, expected):
        assert line.startswith(f"{folder}/limpet.ini:{number}: "), line
        assert re.search(words, line), line


@pytest.mark.parametrize("text,words", [
    ("", "destination"),
    ("[host]\n", "destination"),
    ("[destination.a]\n", "url"),
    (DESTINATION + "".join(f"[destination.d{n}]\nurl = http://127.0.0.1:1\n" for n in range(8)),
     "[destination.d7]: more than 8 destinations"),
    (DESTINATION + "[agent\n", ":3: "),
    (DESTINATION + "key\n", ":3: "),
    (DESTINATION + "[agent]\nmemory = 512KiB\n", "1MiB"),
    (DESTINATION + "[agent]\nmemory = 1MiB\n[queue]\nbatch_bytes = 256KiB\n", "batch_bytes"),
    (DESTINATION + "[queue]\norder = newest_first\n", "unknown value newest_first"),
    (DESTINATION + "[spool]\nmax_size = 2MiB\n", "dead_max_size"),
    (DESTINATION + "[spool]\nshare.logs = 60%\n", "share.logs"),
    (DESTINATION + "[agent]\nrun_dir = ${NO_SUCH_VARIABLE}\n", "NO_SUCH_VARIABLE"),
    (DESTINATION + "header.Content-Length = 5\n", "Content-Length"),
    (DESTINATION + "header.X\x7f = 5\n", ":3: "),
    (DESTINATION.encode() + b"[resource]\nsite = \xff\xfe\n", "UTF-8"),
    (DESTINATION.encode() + b"[resource]\nsite = a\0b\n", ":4: "),
    (DESTINATION + "[resource]\nsite = " + "x" * 100_000 + "\n", "long"),
    (DESTINATION + "[resource]\n" + "".join(f"k{i} = v\n" for i in range(5000)), "room"),
    ("x" * 3_000_000, "long"),
    (bytes(range(256)) * 100, ":"),
])
def test_invalid_configuration(folder, text, words):
    done = check(folder, text)
    assert done.returncode == 78, done.stdout
    assert words in done.stderr and "limpet.ini" in done.stderr
    assert len(done.stderr.splitlines()) < 6000
    assert done.stdout == ""


@pytest.mark.parametrize("setting,words", [
    ("agent", "section.key=value"),
    ("agent.memory", "section.key=value"),
    ("host.intervl=3s", "did you mean interval"),
    ("hots.interval=3s", "did you mean host"),
    ("host.interval=", "host.interval"),
    ("host.interval=3", "duration"),
    ("agent.memory=99TiB", "agent.memory"),
    ("destination.primary.url=http://", "url"),
    ("destination.primary.url=http://user:pass word@h/", "url"),
])
def test_bad_set(folder, setting, words):
    done = check(folder, DESTINATION.replace("destination.a", "destination.primary"), "--set", setting)
    assert done.returncode == 78, done.stdout
    assert "--set" in done.stderr and words in done.stderr


def test_too_little_memory(folder):
    """Says how much is needed and which line to lower, and what it says is true. The static releases
    hold the defaults without a spool in the least there is; a libc that needs more may not."""
    for durability in ("on_demand", "never"):
        settings = ("--set", f"spool.durability={durability}", "--set")
        done = check(folder, DESTINATION, *settings, "agent.memory=1MiB")
        if durability == "never" and done.returncode == 0:
            continue
        assert done.returncode == 78
        assert "agent.memory" in done.stderr and "queue.batch_bytes" in done.stderr
        needed = float(re.search(r"([\d.]+) KiB are needed", done.stderr)[1])
        assert check(folder, DESTINATION, *settings, f"agent.memory={int(needed) + 1}KiB").returncode == 0
        if "set spool.durability = never" in done.stderr:
            assert check(folder, DESTINATION, "--set", "spool.durability=never",
                         "--set", "agent.memory=1MiB").returncode == 0
    assert check(folder, DESTINATION, "--set", "spool.durability=never", "--set", "agent.memory=1MiB",
                 "--set", "queue.batch_bytes=32KiB").returncode == 0
    done = check(folder, DESTINATION, "--set", "agent.memory=1MiB", "--set", "queue.batch_bytes=65KiB")
    assert done.returncode == 78
    assert "queue.batch_bytes" in done.stderr and "memory" in done.stderr


def test_a_secret_is_never_shown(folder):
    """Not in the effective configuration, not in an error."""
    text = DESTINATION + "header.Authorization = Bearer hunter2\n"
    done = check(folder, text)
    assert done.returncode == 0 and "hunter2" not in done.stdout + done.stderr
    done = check(folder, "[destination.a]\nurl = ftp://bob:hunter2@host/\n")
    assert done.returncode == 78 and "hunter2" not in done.stderr


def test_missing_file():
    for command in ("run", "check", "status", "health", "reload"):
        done = call(command, "-c", "/nonexistent/limpet.ini")
        assert done.returncode == 66, command
        assert "/nonexistent/limpet.ini" in done.stderr and "no such file" in done.stderr


def test_a_directory_as_configuration(folder):
    done = call("check", "-c", folder)
    assert done.returncode in (65, 66, 74, 78)
    assert str(folder) in done.stderr


# The command line.

@pytest.mark.parametrize("arguments,words", [
    (["frobnicate"], "unknown command 'frobnicate'"),
    (["run", "--bogus"], "unknown argument '--bogus'"),
    (["run", "extra"], "unknown argument 'extra'"),
    (["check", "-c"], "expected FILE"),
    (["check", "--set"], "expected"),
    (["version", "--json=1"], "takes no value"),
    (["health", "--json"], "unknown argument"),
    (["spool"], "spool: expected one of list, show, export, verify"),
    (["dead", "bury"], "unknown action 'bury' (expected list, show, retry, purge)"),
    (["spool", "show"], "spool show: expected ID"),
    (["dead", "show", "1", "2"], "unknown argument '2'"),
    (["dead", "retry", *(["1"] * 65)], "more than 64"),
    (["backup"], "backup: expected FILE"),
    (["restore", "a", "b"], "unknown argument 'b'"),
    (["run", *(["--set", "a.b=c"] * 65)], "--set"),
    (["sink", "--fail", "often"], "--fail"),
    (["sink", "--fail", "110%"], "--fail"),
])
def test_usage(arguments, words):
    done = call(*arguments)
    assert done.returncode == 64
    assert words in done.stderr and len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_no_command():
    done = call()
    assert done.returncode == 64
    assert "usage: limpet" in done.stdout + done.stderr


def test_sink_cannot_listen(endpoint):
    done = call("sink", "--listen", f"127.0.0.1:{endpoint.port}")
    assert done.returncode == 69 and "in use" in done.stderr
    done = call("sink", "--listen", "nowhere")
    assert done.returncode in (64, 69) and "nowhere" in done.stderr


def test_stdout_that_is_full(folder):
    """A full disk behind a redirection is an I/O error, not silence."""
    path = folder / "limpet.ini"
    path.write_text(DESTINATION)
    for command in (["check", "-c", path], ["version"], ["--help"]):
        with open("/dev/full", "wb") as full:
            assert subprocess.run([LIMPET, *command], stdout=full, timeout=10).returncode == 74, command
