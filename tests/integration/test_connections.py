"""How the real program connects: client certificates, tokens out of files, proxies, a changed network,
slow links, and `limpet check --online`."""

import os
import re
import subprocess
import sys
import time

import pytest

from endpoint import Answer, Endpoint
from limpet import CALM_S, FAST, Limpet, call, free_port, until
from proxy import Proxy
from test_delivery import check_nothing_missing, drained

SECRET = "s3cret-Token_1"


def replace(path, text):
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.rename(path)


def primary(**keys):
    return [f"destination.primary.{key}={value}" for key, value in keys.items()]


# TLS.

def test_mutual_tls_with_a_pin(limpet, authority, folder):
    server, client = authority.server(), authority.client()
    with Endpoint(tls=server, client_ca=authority.root) as endpoint:
        process = limpet(endpoint.url, *primary(tls_ca=authority.root, tls_cert=client.chain, tls_key=client.key,
                                                tls_pin=f'"{server.pin}"', tls_server_name="localhost"))
        endpoint.wait(5)
        assert endpoint.connections == 1
        assert not process.lines("delivery fails")


def test_a_client_certificate_is_wanted(limpet, authority):
    with Endpoint(tls=authority.server(), client_ca=authority.root) as endpoint:
        process = limpet(endpoint.url, *FAST, *primary(tls_ca=authority.root))
        line = process.wait_for_log("delivery fails")[0]
        assert "want" in line["error"] and "client certificate" in line["error"]


def test_client_certificate_that_cannot_be_used(authority, folder):
    """An error at start and in check, which names the file."""
    client, other = authority.client("c1"), authority.client("c2")
    for certificate, key, words in [(client.chain, other.key, "not the key of the certificate"),
                                    (client.chain, folder / "none", "not found"),
                                    (client.key, client.key, "no certificate")]:
        settings = primary(tls_cert=certificate, tls_key=key)
        process = Limpet(folder, "https://127.0.0.1:1", *settings, wait=False)
        assert process.process.wait(10) == 78
        assert words in process.log
        done = process.ask("check")
        assert done.returncode == 78
        assert words in done.stderr and "destination.primary" in done.stderr


@pytest.mark.parametrize("label,days,words", [("old", (-10, -1), "certificate expired"),
                                              ("young", (1, 10), "not valid yet")])
def test_certificates_out_of_their_time(limpet, authority, label, days, words):
    with Endpoint(tls=authority.server(label, days=days)) as endpoint:
        process = limpet(endpoint.url, *FAST, *primary(tls_ca=authority.root))
        status = process.wait_for(lambda s: s["destinations"][0]["last_error"])
        assert words in status["destinations"][0]["last_error"]


def test_not_valid_yet_while_the_clock_is_unset(limpet, authority):
    """The clock is said to be unset until 2100: what is not valid yet is taken, and told of once."""
    with Endpoint(tls=authority.server("young", days=(1, 10))) as endpoint:
        process = limpet(endpoint.url, *FAST, *primary(tls_ca=authority.root), "clock.unset_before=2100-01-01")
        endpoint.default = Answer(close=True)
        endpoint.wait(5)
        lines = process.lines("the clock is not set: a certificate that is not valid yet was taken")
        assert len(lines) == 1 and lines[0]["level"] == "warn"
        process.kill()
    with Endpoint(tls=authority.server("old", days=(-10, -1))) as endpoint:
        process = limpet(endpoint.url, *FAST, *primary(tls_ca=authority.root), "clock.unset_before=2100-01-01")
        assert "expired" in process.wait_for_log("delivery fails")[0]["error"]


# Secrets out of files.

def test_token_is_read_again(limpet, endpoint, folder):
    token = folder / "token"
    token.write_text(SECRET + "\n")
    header = folder / "header"
    header.write_text("tenant-1")

    def answer(request):
        return Answer(200 if request.headers["authorization"] == f"Bearer {SECRET}" else 401)
    endpoint.default = answer
    process = limpet(endpoint.url, *FAST, *primary(**{"bearer_token_file": token, "header.X-Tenant_file": header}))
    request = endpoint.wait(2)[-1]
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert request.headers["x-tenant"] == "tenant-1"
    replace(header, "tenant-2\n")
    until(lambda: endpoint.requests[-1].headers["x-tenant"] == "tenant-2", 5)
    replace(token, "wrong")
    status = process.wait_for(lambda s: not s["health"]["ok"])
    assert "401" in status["health"]["reasons"][0]
    replace(token, SECRET)
    status = process.wait_for(lambda s: drained(s) and s["health"]["ok"], CALM_S)
    assert status["ledger"]["metrics"]["dropped"] == 0
    token.unlink()
    process.wait_for_log("a secret's file has turned bad: what it held before stays in force")
    seen = len(endpoint.requests)
    assert endpoint.wait(seen + 3)[-1].answer.status == 200
    replace(token, SECRET)
    process.wait_for_log("a secret's file is good again")
    check_nothing_missing(endpoint.requests)
    assert SECRET not in process.log
    assert SECRET not in process.get("/status")[1] + process.ask("check").stdout


def test_token_that_is_not_there_yet(limpet, endpoint, folder):
    """systemd's credentials may come late: the program starts, says what it waits for, and holds."""
    token = folder / "token"
    process = limpet(endpoint.url, *FAST, *primary(bearer_token_file=token))
    status = process.wait_for(lambda s: s["queue"]["batches"] + s["spool"]["batches"] >= 3)
    healthy, health = process.health()
    assert not healthy and f"bearer_token_file {token}: not found" in health["reasons"][0]
    assert endpoint.connections == 0
    for text in ("", "\n", "two\nlines", "x" * 5000):
        replace(token, text)
    process.wait_for(lambda s: "too long" in s["destinations"][0]["last_error"])
    done = process.ask("check")
    assert done.returncode == 0 and "too long" in done.stderr
    replace(token, SECRET)
    status = process.wait_for(lambda s: drained(s) and s["health"]["ok"], CALM_S)
    assert status["ledger"]["metrics"]["dropped"] == 0
    assert {r.headers["authorization"] for r in endpoint.requests} == {f"Bearer {SECRET}"}
    check_nothing_missing(endpoint.requests)


# Proxies.

@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proxy(limpet, authority, scheme, folder):
    tls = authority.server() if scheme == "https" else None
    with Endpoint(tls=tls) as endpoint, Proxy(credentials="edge:p@ss") as proxy:
        process = limpet(endpoint.url, *primary(tls_ca=authority.root, proxy=proxy.url("edge:p%40ss")))
        requests = endpoint.wait(5)
        assert proxy.connections == endpoint.connections == 1, "one connection for many"
        wanted = f"CONNECT 127.0.0.1:{endpoint.port}" if tls else f"POST {endpoint.url}/v1/metrics"
        assert proxy.requests[0].startswith(wanted)
        assert "proxy-authorization" not in requests[0].headers
        assert "p%40ss" not in process.log + process.ask("check").stdout + process.get("/status")[1]
        check_nothing_missing(requests)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proxy_wants_other_credentials(limpet, authority, scheme, folder):
    """407 is misconfigured, whatever the way; what is in proxy_file is read again."""
    file = folder / "proxy"
    tls = authority.server() if scheme == "https" else None
    with Endpoint(tls=tls) as endpoint, Proxy(credentials="edge:right") as proxy:
        file.write_text(proxy.url("edge:wrong") + "\n")
        process = limpet(endpoint.url, *FAST, *primary(tls_ca=authority.root, proxy_file=file))
        status = process.wait_for(lambda s: not s["health"]["ok"])
        assert "407" in status["health"]["reasons"][0] and "proxy" in status["health"]["reasons"][0]
        assert endpoint.connections == 0
        replace(file, proxy.url("edge:right"))
        status = process.wait_for(lambda s: drained(s) and s["health"]["ok"], CALM_S)
        assert status["ledger"]["metrics"]["dropped"] == 0
        check_nothing_missing(endpoint.requests)


@pytest.mark.parametrize("code,healthy", [(403, False), (400, False), (503, True), (500, True)])
def test_what_a_proxy_says_to_connect_is_not_about_the_data(limpet, authority, code, healthy):
    """Whatever it is: nothing is refused, nothing is lost."""
    with Endpoint(tls=authority.server()) as endpoint, Proxy(refuse=code) as proxy:
        process = limpet(endpoint.url, *FAST, *primary(tls_ca=authority.root, proxy=proxy.url()))
        status = process.wait_for(lambda s: s["queue"]["batches"] + s["spool"]["batches"] >= 4)
        assert f"proxy 127.0.0.1: answered {code} to CONNECT" in status["destinations"][0]["last_error"]
        assert process.health()[0] == healthy
        account = status["ledger"]["metrics"]
        assert account["dropped"] == account["dead"] == account["rejected"] == 0
        proxy.refuse = None
        process.wait_for(drained, CALM_S)
        check_nothing_missing(endpoint.requests)


def test_no_proxy_there(limpet, endpoint):
    process = limpet(endpoint.url, *FAST, *primary(proxy=f"http://127.0.0.1:{free_port()}"))
    line = process.wait_for_log("delivery fails")[0]
    assert line["error"] == "proxy 127.0.0.1: connection refused"
    assert endpoint.connections == 0


def test_proxy_of_the_environment_is_not_used(limpet, endpoint):
    os_environment = os.environ | {"http_proxy": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"}
    limpet(endpoint.url, env=os_environment)
    endpoint.wait(2)


# Pace.

def test_max_bytes_per_second(limpet, endpoint):
    """Measured over ten seconds; what is left of a second may be used at once."""
    process = limpet(endpoint.url, "host.interval=50ms", *primary(max_bytes_per_second=3000, compression="none"))
    endpoint.wait(1)
    began, before = time.time(), len(endpoint.requests)
    time.sleep(10)
    requests = endpoint.requests[before:]
    seconds = time.time() - began
    sent = sum(len(r.body) + sum(len(k) + len(v) + 4 for k, v in r.headers.items()) for r in requests)
    print(f"\n{sent / seconds:.0f} bytes per second of 3000, in {len(requests)} requests")
    assert 0.7 * 3000 < sent / seconds < 1.2 * 3000
    process.kill()


SLOW = """
import pathlib, subprocess, sys, time
sys.path[:0] = {path!r}
from endpoint import Endpoint
from limpet import Limpet

def run(command):
    subprocess.run(command.split(), check=True)
other = subprocess.Popen(["unshare", "-n", "sleep", "100"])
process = None
try:
    time.sleep(0.5)
    there = f"nsenter -t {{other.pid}} -n "
    run(f"ip link add v0 type veth peer name v1 netns {{other.pid}}")
    run("ip addr add 10.1.1.1/24 dev v0")
    run("ip link set v0 up")
    run(there + "ip addr add 10.1.1.2/24 dev v1")
    run(there + "ip link set v1 up")
    run(there + "ip link set lo up")
    run(there + "tc qdisc add dev v1 root tbf rate {rate} burst 1600 latency 600s")
    if {folder!r}:
        with Endpoint(host="10.1.1.1") as endpoint:
            process = Limpet(
                pathlib.Path({folder!r}), endpoint.url, "host.interval=60s", "queue.batch_bytes=16KiB",
                "destination.primary.timeout=1s", "destination.primary.compression=none",
                "resource.some=" + "x" * 3800, "resource.more=" + "x" * 3800, wait=False,
                before=tuple(there.split()))
            request = endpoint.wait(1, timeout=40)[0]
            print(len(request.body), request.arrived - process.started, request.connection,
                  len(process.lines("delivery fails")))
finally:
    if process:
        process.kill()
    other.kill()
    other.wait()
"""


def on_a_slow_link(folder, rate):
    script = SLOW.format(path=sys.path, folder=str(folder), rate=rate)
    return subprocess.run(["unshare", "-rn", sys.executable, "-c", script], capture_output=True, text=True,
                          timeout=80, check=False)


def test_a_slow_link(folder):
    """A link of 20 kbit/s with a time-out of 1 s, as 2 kbit/s are to 10 s: the body takes five time-outs,
    and arrives in the first attempt."""
    if on_a_slow_link("", "20kbit").returncode != 0:
        pytest.skip("no network namespaces, or no tc with its token buckets")
    done = on_a_slow_link(folder, "20kbit")
    assert done.returncode == 0, done.stderr
    size, seconds, connection, failures = done.stdout.split()
    print(f"\n{size} bytes after {float(seconds):.1f} s")
    assert int(size) > 12_000 and float(seconds) > 4
    assert int(connection) == 1 and int(failures) == 0


@pytest.mark.skipif(subprocess.run(["unshare", "-rn", "true"], check=False).returncode != 0,
                    reason="no network namespaces")
def test_changed_network(folder):
    """A new address: the kept connection is given up, within a second; nothing fails."""
    script = f"""
import pathlib, subprocess, sys
sys.path[:0] = {sys.path!r}
from endpoint import Endpoint
from limpet import Limpet
with Endpoint() as endpoint:
    process = Limpet(pathlib.Path({str(folder)!r}), endpoint.url)
    try:
        endpoint.wait(10)
        before = endpoint.connections
        subprocess.run(["ip", "addr", "add", "10.9.9.9/24", "dev", "lo"], check=True)
        process.wait_for_log("the network has changed: connections begin anew")
        endpoint.wait(len(endpoint.requests) + 10)
        print(before, endpoint.connections, len(process.lines("delivery fails")))
    finally:
        process.kill()
"""
    done = subprocess.run(["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable,
                           "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["1", "2", "0"]


# check --online.

def block(text, name="primary"):
    """The lines of a destination's block: {label: text}."""
    lines = text.split(f"; destination {name}\n")[1].split(";\n")[0].splitlines()
    return {label: rest for label, rest in (re.match(r";   (\w+) +(.*)", line).groups() for line in lines)}


def check_online(folder, url, *settings):
    path = folder / "online.ini"
    path.write_text(f"[host]\n[destination.primary]\nurl = {url}\n")
    return call("check", "--online", "-c", path, *(p for s in settings for p in ("--set", s)), timeout=60)


def test_check_online(folder, authority):
    server = authority.server(days=(-1, 40))
    with Endpoint(tls=server) as endpoint:
        done = check_online(folder, endpoint.url, *primary(tls_ca=authority.root))
        assert done.returncode == 0, done.stdout + done.stderr
        found = block(done.stdout)
        assert found["url"] == endpoint.url
        assert found["address"] == f"127.0.0.1:{endpoint.port}"
        assert found["tls"].startswith("TLSv1.3, ")
        assert re.fullmatch(r"CN=localhost, valid until \S+Z \(39 days left\)", found["certificate"])
        assert re.fullmatch(r"name [\d.]+ ms, connection [\d.]+ ms, TLS [\d.]+ ms", found["connecting"])
        assert found["clock"].startswith("agrees with this host's, within 0.")
        for signal in ("metrics", "logs", "traces"):
            assert re.fullmatch(r"200 accepted, after [\d.]+ ms", found[signal])
        assert [(r.path, r.body, r.key) for r in endpoint.requests] == [
            (f"/v1/{s}", b"", None) for s in ("metrics", "logs", "traces")]
        assert endpoint.connections == 1
        reloaded = folder / "printed.ini"
        reloaded.write_text(done.stdout)
        assert call("check", "-c", reloaded).returncode == 0, "the output is a configuration still"


def test_check_online_says_what_is_wrong(folder, authority):
    cases = [
        (authority.server("o1", days=(-10, -1)), {}, "no answer: certificate expired", "expired 20"),
        (authority.server("o2", days=(1, 10)), {}, "no answer: certificate is not valid yet", "valid from 20"),
        (authority.server("o3", names=("other.example",), addresses=("192.0.2.1",)), {},
         "no answer: certificate is for another name", "CN=other.example"),
        (authority.server("o4"), {"tls_ca": "/etc/ssl/certs/ca-certificates.crt"},
         "no answer: unknown certificate authority", "CN=localhost"),
        (authority.server("o5"), {"tls_pin": "sha256//" + "A" * 43 + "="},
         "no answer: the server's key is none of tls_pin", "CN=localhost"),
    ]
    for server, keys, answer, certificate in cases:
        with Endpoint(tls=server) as endpoint:
            done = check_online(folder, endpoint.url, *primary(**({"tls_ca": authority.root} | keys)))
            assert done.returncode == 69
            found = block(done.stdout)
            assert found["address"] == f"127.0.0.1:{endpoint.port}"
            assert answer in found["metrics"] and certificate in found["certificate"]

    port = free_port()
    found = block(check_online(folder, f"http://127.0.0.1:{port}").stdout)
    assert found["metrics"].startswith("no answer: connection refused")
    assert found["address"] == f"127.0.0.1:{port}"
    found = block(check_online(folder, "http://nowhere.invalid").stdout)
    assert found["metrics"].startswith("no answer: cannot resolve host nowhere.invalid") or (
        "timed out resolving" in found["metrics"])
    found = block(check_online(folder, "https://127.0.0.1:1", *primary(tls_ca=folder / "none")).stdout)
    assert found["error"] == f"tls_ca {folder}/none: not found"


def test_check_online_tells_one_signal_from_another(folder, endpoint):
    endpoint.script(Answer(), Answer(404, body=b"no such path", headers={"Content-Type": "text/plain"}),
                    Answer(401))
    done = check_online(folder, endpoint.url)
    assert done.returncode == 69
    found = block(done.stdout)
    assert found["metrics"].startswith("200 accepted")
    assert found["logs"].startswith("404 misconfigured: no such path: check url (no such path)")
    assert found["traces"].startswith("401 misconfigured: credentials")
    assert "tls" not in found


def test_check_online_compares_clocks(folder, endpoint):
    there = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() - 3600))
    endpoint.default = Answer(headers={"Date": there})
    clock = block(check_online(folder, endpoint.url).stdout)["clock"]
    ahead = re.match(r"theirs is ([\d.]+) s behind this host's, within 0\.[56] s", clock)
    assert ahead and abs(float(ahead[1]) - 3600) < 2, clock
    endpoint.default = Answer(trickle=0.01)
    clock = block(check_online(folder, endpoint.url).stdout)["clock"]
    assert re.fullmatch(r"agrees with this host's, within [1-9]\d*\.\d s", clock), "a slow answer is uncertain"
    endpoint.default = Answer(headers={"Date": None})
    assert "clock" not in block(check_online(folder, endpoint.url).stdout)


def test_check_online_through_a_proxy(folder, authority):
    with Endpoint(tls=authority.server()) as endpoint, Proxy(credentials="u:p") as proxy:
        settings = primary(tls_ca=authority.root, proxy=proxy.url("u:p"))
        found = block(check_online(folder, endpoint.url, *settings).stdout)
        assert found["address"] == f"127.0.0.1:{proxy.port} (the proxy)"
        assert found["metrics"].startswith("200 accepted")
        proxy.credentials = "u:q"
        done = check_online(folder, endpoint.url, *settings)
        assert done.returncode == 69
        assert "407 to CONNECT (it wants other credentials)" in block(done.stdout)["metrics"]
