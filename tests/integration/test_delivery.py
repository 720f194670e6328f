"""The main job with real peers: what the endpoint receives is right, whatever it answers."""

import re
import statistics
import time
import uuid

import pytest

from endpoint import Answer, Endpoint, partial_success
from limpet import ALL_GROUPS, CALM_S, FAST, SOURCE, call, free_port, until
from otlp import HOST_METRICS, SELF_METRICS, SOMETIMES, attributes, check_points, points

SCHEMA = "https://opentelemetry.io/schemas/1.44.0"
INTERVAL_NS = 200_000_000


def keys(requests):
    """Distinct keys in order of arrival."""
    return list(dict.fromkeys(r.key for r in requests))


def sequences(requests):
    return [int(key.rsplit("-", 1)[1]) for key in keys(requests)]


def check_nothing_missing(requests):
    """Numbered from 1 without a gap, in order, each attempt of a batch the same bytes."""
    assert sequences(requests) == list(range(1, len(keys(requests)) + 1))
    bodies = {}
    for request in requests:
        if request.complete:
            assert bodies.setdefault(request.key, request.body) == request.body


def times_of(request):
    return {p.time for p in points(request.message)}


def items(request):
    return len(points(request.message))


def drained(status):
    return status["ledger"]["metrics"]["held"] == 0 and status["ledger"]["metrics"]["collected"] > 0


# What arrives.

@pytest.mark.parametrize("scheme", ["http", "https"])
def test_host_metrics(limpet, authority, scheme):
    tls = authority.server() if scheme == "https" else None
    with Endpoint(tls=tls) as endpoint:
        process = limpet(endpoint.url, f"destination.primary.tls_ca={authority.root}", f"host.metrics={ALL_GROUPS}")
        requests = endpoint.wait(8)
        assert process.stop() == 0
    starts, times, cycles = set(), [], []
    for request in requests:
        message = request.message
        assert len(message.resource_metrics) == 1
        resource_metrics = message.resource_metrics[0]
        resource = attributes(resource_metrics.resource.attributes)
        assert resource["service.name"] == "limpet"
        assert uuid.UUID(resource["service.instance.id"])
        assert resource["service.version"] == call("version").stdout.split()[1]
        assert resource["os.type"] == "linux"
        assert {"host.name", "host.arch", "os.description"} <= resource.keys()
        assert resource_metrics.schema_url == SCHEMA
        assert len(resource_metrics.scope_metrics) == 1
        scope = resource_metrics.scope_metrics[0]
        assert (scope.scope.name, scope.scope.version) == ("limpet", resource["service.version"])
        found = points(message)
        check_points(found, HOST_METRICS)
        assert HOST_METRICS.keys() - SOMETIMES <= {p.name for p in found}
        cycle = {p.time for p in found}
        assert len(cycle) == 1, "one cycle, one time"
        times += cycle
        starts |= {p.start for p in found if p.kind == "counter"}
        cycles.append({(p.name, *sorted(p.attributes.items())): p.value for p in found
                       if p.kind == "counter"})
    check_nothing_missing(requests)

    # One start for all counters of a boot.
    assert len(starts) == 1
    start = starts.pop()
    booted = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert abs(start - booted) < 2e9

    # In order, on multiples of the interval since boot: the first cycle runs at start, the others
    # may be late but never early, and each multiple has one at most.
    assert times == sorted(set(times))
    since_boot = [t - start for t in times[1:]]
    turns = [t // INTERVAL_NS for t in since_boot]
    assert len(set(turns)) == len(turns)
    assert statistics.median(t % INTERVAL_NS for t in since_boot) < 50_000_000
    assert abs(times[-1] - time.time_ns()) < 60e9

    for before, after in zip(cycles, cycles[1:]):
        for series, value in before.items():
            assert after.get(series, value) >= value, series


def test_values_and_resource_of_another_root(limpet, endpoint):
    """Read below a copy of a Raspberry Pi's /proc and /sys: the numbers are known."""
    limpet(endpoint.url, f"host.root={SOURCE}/tests/data/proc/rpi4-6.6", "resource.site=plant-7",
           "resource.service.name=gateway", "resource.os.name=")
    message = endpoint.wait(1)[0].message
    resource = attributes(message.resource_metrics[0].resource.attributes)
    assert resource["site"] == "plant-7"
    assert resource["service.name"] == "gateway"
    assert "os.name" not in resource, "set to nothing: left out"
    assert "Raspberry" in resource["device.model.name"]
    root = SOURCE / "tests/data/proc/rpi4-6.6"
    assert resource["host.name"] == (root / "etc/hostname").read_text().strip()
    assert resource["host.id"] == (root / "etc/machine-id").read_text().strip()
    found = points(message)
    check_points(found, HOST_METRICS)
    by_name = {}
    for point in found:
        by_name.setdefault(point.name, []).append(point)
    assert [p.value for p in by_name["system.cpu.logical.count"]] == [4]
    assert {p.attributes["cpu.logical_number"] for p in by_name["system.cpu.frequency"]} == {0, 1, 2, 3}
    meminfo = dict(re.findall(r"(\w+): +(\d+)", (root / "proc/meminfo").read_text()))
    assert sum(p.value for p in by_name["system.memory.usage"]) == int(meminfo["MemTotal"]) * 1024
    assert by_name["system.memory.linux.available"][0].value == int(meminfo["MemAvailable"]) * 1024
    load = (root / "proc/loadavg").read_text().split()
    for minutes, text in zip((1, 5, 15), load):
        assert by_name[f"system.cpu.load_average.{minutes}m"][0].value == float(text)
    ticks = (root / "proc/stat").read_text().split("\n")[0].split()[1:]
    user = next(p.value for p in by_name["system.cpu.time"] if p.attributes["cpu.mode"] == "user")
    assert user == pytest.approx(int(ticks[0]) / 100)


def test_groups_are_chosen(limpet, endpoint):
    limpet(endpoint.url, "host.metrics=load, system")
    names = {p.name for p in points(endpoint.wait(1)[0].message)}
    assert names == {"system.uptime"} | {f"system.cpu.load_average.{m}m" for m in (1, 5, 15)}


def test_own_metrics(limpet, endpoint):
    process = limpet(endpoint.url, "self.interval=200ms", host=False)
    requests = endpoint.wait(4)
    wanted = set(SELF_METRICS)
    process.stop()
    starts = set()
    for request in requests:
        found = points(request.message)
        check_points(found, SELF_METRICS)
        assert wanted - {p.name for p in found} <= {
            "limpet.items.delivered", "limpet.items.rejected", "limpet.items.dropped",
            "limpet.items.dead", "limpet.items.held", "limpet.requests"}
        starts |= {p.start for p in found if p.kind in ("counter", "histogram")}
    assert len(starts) == 1
    assert abs(starts.pop() / 1e9 - process.started) < 5, "counted since the program's start"
    assert wanted == {p.name for p in points(requests[-1].message)}
    collected = {p.attributes["signal"]: p.value for p in points(requests[-1].message)
                 if p.name == "limpet.items.collected"}
    assert collected["metrics"] >= sum(items(r) for r in requests[:-1])


# How it is sent.

def test_request(limpet, endpoint):
    limpet(endpoint.url, 'destination.primary.header.X-Scope-OrgID="edge; 7"')
    requests = endpoint.wait(3)
    instance = attributes(
        requests[0].message.resource_metrics[0].resource.attributes)["service.instance.id"]
    for request in requests:
        assert (request.method, request.path) == ("POST", "/v1/metrics")
        assert request.headers["content-type"] == "application/x-protobuf"
        assert request.headers["content-encoding"] == "gzip"
        assert request.headers["x-scope-orgid"] == "edge; 7"
        assert "expect" not in request.headers
        assert re.fullmatch(re.escape(instance) + r"-[0-9a-f]{16}-metrics-[1-9]\d*", request.key)
        assert request.connection == 1, "the connection is kept"
    assert len({r.key for r in requests}) == len(requests)


def test_user_agent(limpet, endpoint):
    limpet(endpoint.url)
    version = call("version").stdout.split()[1]
    assert endpoint.wait(1)[0].headers["user-agent"] == f"limpet/{version}"


def test_keys_of_two_starts_differ(limpet, endpoint):
    for start in (1, 2):
        process = limpet(endpoint.url)
        requests = endpoint.wait(start)
        process.stop()
    assert len({r.key for r in requests}) == len(requests)


def test_no_compression(limpet, endpoint):
    limpet(endpoint.url, "destination.primary.compression=none")
    request = endpoint.wait(1)[0]
    assert "content-encoding" not in request.headers
    check_points(points(request.message), HOST_METRICS)


def test_url_of_a_signal(limpet, endpoint):
    limpet("http://127.0.0.1:1/", f"destination.primary.metrics_url={endpoint.url}/otel/m?tenant=a")
    assert endpoint.wait(1)[0].path == "/otel/m?tenant=a"


def test_path_of_a_url(limpet, endpoint):
    limpet(endpoint.url + "/otlp/")
    assert endpoint.wait(1)[0].path == "/otlp/v1/metrics"


def test_one_connection_for_many(limpet, tls_endpoint, authority):
    limpet(tls_endpoint.url, f"destination.primary.tls_ca={authority.root}", "host.interval=50ms")
    tls_endpoint.wait(20)
    assert tls_endpoint.connections == 1


def test_connection_closed_by_the_peer(limpet, tls_endpoint, authority):
    """Announced, silently between two requests, or all at once: nothing is lost or noticed."""
    tls_endpoint.script(Answer(close=True), Answer(), Answer(hang_up=True), Answer())
    process = limpet(tls_endpoint.url, f"destination.primary.tls_ca={authority.root}", *FAST)
    tls_endpoint.wait(5)
    tls_endpoint.drop_connections()
    requests = tls_endpoint.wait(8)
    assert tls_endpoint.connections >= 4
    check_nothing_missing(requests)
    status = process.wait_for(drained, CALM_S)
    assert status["ledger"]["metrics"]["dropped"] == 0


# Failures that pass: the same bytes again, under the same key, nothing lost.

@pytest.mark.parametrize("answer", [
    pytest.param(Answer(503), id="503"),
    pytest.param(Answer(502), id="502"),
    pytest.param(Answer(504, body=b"<html>" + b"x" * 100_000), id="504-page"),
    pytest.param(Answer(429), id="429"),
    pytest.param(Answer(503, body=b"x" * 10_000_000), id="503-10MB"),
    pytest.param(Answer(reset=True), id="reset-after-body"),
    pytest.param(Answer(raw=b""), id="closed-after-body"),
    pytest.param(Answer(early=True, status=503), id="early-503"),
    pytest.param(Answer(cut=12), id="half-a-status-line"),
    pytest.param(Answer(raw=b"SSH-2.0-OpenSSH_9.2p1\r\n"), id="not-http"),
    pytest.param(Answer(raw=bytes(range(256)) * 40), id="garbage"),
])
def test_retry(limpet, endpoint, answer):
    endpoint.script(Answer(), answer, answer)
    process = limpet(endpoint.url, *FAST)
    requests = endpoint.wait(6)
    tries = [r for r in requests if r.key == requests[1].key]
    assert len(tries) == 3 and requests[1:4] == tries, "nothing overtakes what is tried again"
    check_nothing_missing(requests)
    status = process.wait_for(drained, CALM_S)
    account = status["ledger"]["metrics"]
    assert (account["dropped"], account["rejected"]) == (0, 0)
    assert status["destinations"][0]["last_error"], "still says what it was"
    assert status["destinations"][0]["breaker"] == "closed"
    assert len(process.lines("delivery fails")) == 1, "said once, not for every attempt"
    assert len(process.lines("delivery works again")) == 1


@pytest.mark.parametrize("form", ["seconds", "date", "date-without-date"])
def test_retry_after(limpet, endpoint, form):
    def http_date(at):
        return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(at))
    headers = {
        "seconds": {"Retry-After": "1"},
        # Their clock is years off: only the difference of the two counts.
        "date": {"Date": http_date(1e9), "Retry-After": http_date(1e9 + 1)},
        "date-without-date": {"Date": None, "Retry-After": http_date(time.time() + 3)},
    }[form]
    endpoint.script(Answer(503, headers=headers))
    process = limpet(endpoint.url, *FAST)
    first, second = endpoint.wait(2)[:2]
    assert first.key == second.key
    assert second.arrived - first.arrived > 0.95, "a floor"
    assert process.wait_for(drained, CALM_S)["ledger"]["metrics"]["dropped"] == 0


def test_timeout(limpet, endpoint):
    """No answer at all: tried again after the time-out, on a new connection."""
    endpoint.script(Answer(never=True))
    process = limpet(endpoint.url, *FAST, "destination.primary.timeout=1s")
    first, second = endpoint.wait(2)[:2]
    assert first.key == second.key and first.connection != second.connection
    assert 0.9 < second.arrived - first.arrived < 3
    line = process.wait_for_log("delivery fails")[0]
    assert "timed out waiting for the answer" in line["error"]
    assert "may have arrived" in line["error"], "an unknown outcome says so"


def test_slow_but_progressing(limpet, endpoint):
    """An answer that takes three time-outs, a byte at a time, is an answer."""
    endpoint.script(Answer(trickle=0.02))
    process = limpet(endpoint.url, *FAST, "destination.primary.timeout=1s", "host.interval=1s")
    requests = endpoint.wait(3)
    assert requests[1].arrived - requests[0].arrived > 2
    assert len(keys(requests)) == len(requests), "sent once"
    assert not process.lines("delivery fails")


@pytest.mark.parametrize("answer", [
    pytest.param(Answer(200, body=b"x" * 10_000_000), id="10MB"),
    pytest.param(Answer(200, body=b"\xff\xff\xff\xff"), id="garbage-body"),
    pytest.param(Answer(200, headers={"Content-Type": "text/html"}, body=b"<html>"), id="html"),
    pytest.param(Answer(200, cut=40), id="half-a-head"),
    pytest.param(Answer(200, body=b"x" * 1000, cut=300), id="half-a-body"),
    pytest.param(Answer(204, headers={"Content-Length": None}), id="204"),
    pytest.param(Answer(202, interim=2), id="202-after-100"),
    pytest.param(Answer(200, body=partial_success("metrics", 0, "be kinder")), id="a-warning"),
])
def test_accepted_by_the_status_line(limpet, endpoint, answer):
    """2xx decides: never sent again, whatever follows it."""
    endpoint.script(answer, answer)
    process = limpet(endpoint.url, *FAST)
    requests = endpoint.wait(5)
    assert len(keys(requests)) == len(requests), "sent once"
    check_nothing_missing(requests)
    account = process.wait_for(drained, CALM_S)["ledger"]["metrics"]
    assert account["delivered"] == account["collected"]


# Outages.

def test_outage_keeps_order_and_times(limpet):
    """Nobody listens for a second; then everything arrives, in order, with the times it had."""
    port = free_port()
    process = limpet(f"http://127.0.0.1:{port}", *FAST, "host.interval=50ms", "spool.durability=never")
    status = process.wait_for(lambda s: s["queue"]["batches"] >= 20)
    assert status["destinations"][0]["breaker"] in ("open", "half_open")
    assert "connection refused" in status["destinations"][0]["last_error"]
    healthy, health = process.health()
    assert healthy and health["delivery"] == "degraded", "safely held: not a fault of this host"
    with Endpoint(port=port) as endpoint:
        began = time.time_ns()
        requests = endpoint.wait(25)
        process.wait_for(lambda s: s["health"]["delivery"] == "ok")
        assert process.stop() == 0
        requests = endpoint.requests
    check_nothing_missing(requests)
    times = [t for r in requests for t in times_of(r)]
    assert times == sorted(times)
    assert sum(t < began for t in times) >= 20, "the time of measuring, not of sending"
    account = process.final_account()
    assert account["delivered"] == account["collected"] == sum(items(r) for r in requests)


# Refused, misconfigured, faulty.

def test_refused_batches(limpet, endpoint):
    """Two are dropped and counted (there is no spool to keep them in); the third and all after it are
    held until the endpoint is set right: wrong settings must not eat the queue. Of one point each: there
    is nothing to take apart."""
    endpoint.default = Answer(400)
    process = limpet(endpoint.url, *FAST, "host.metrics=system", "spool.durability=never")
    status = process.wait_for(lambda s: s["queue"]["batches"] >= 5)
    requests = endpoint.requests
    assert sequences(requests) == [1, 2, 3], "what comes after the third waits behind it"
    refused = sum(items(next(r for r in requests if r.key == key)) for key in keys(requests)[:2])
    account = status["ledger"]["metrics"]
    assert account["dropped_by"] == {"refused": refused}
    assert account["delivered"] == 0
    assert status["destinations"][0]["breaker"] in ("open", "half_open")
    healthy, health = process.health()
    assert not healthy
    assert "misconfigured" in health["reasons"][0] and "400" in health["reasons"][0]
    assert len(process.lines("a batch was refused and dropped")) == 2

    endpoint.default = Answer()
    status = process.wait_for(lambda s: drained(s) and s["health"]["ok"], CALM_S)
    assert status["ledger"]["metrics"]["dropped"] == refused, "no more were lost"
    check_nothing_missing(endpoint.requests)


def test_one_refused_batch(limpet, endpoint):
    def number(request):  # Of a batch, whole or in parts.
        return int(request.key.rsplit("-", 1)[1].split(".")[0])
    endpoint.default = lambda request: Answer({2: 413, 4: 422}.get(number(request), 200))
    process = limpet(endpoint.url, *FAST, "spool.durability=never")
    until(lambda: any(number(r) == 5 for r in endpoint.requests))
    account = process.wait_for(drained, CALM_S)["ledger"]["metrics"]
    requests = endpoint.requests
    whole = {number(r): items(r) for r in requests if "." not in r.key}
    assert account["dropped_by"] == {"refused": whole[2] + whole[4]}
    assert len(keys(requests)) == len(requests), "not tried again"
    check_nothing_missing([r for r in requests if "." not in r.key])
    assert process.health()[0]


@pytest.mark.parametrize("code,word", [(401, "credentials"), (403, "credentials"), (404, "path"),
                                       (405, "url"), (415, "compression"), (418, "url")])
def test_misconfigured(limpet, endpoint, code, word):
    """Held, and said at once what to set right; nothing is lost."""
    endpoint.default = Answer(code)
    process = limpet(endpoint.url, *FAST, "spool.durability=never")
    status = process.wait_for(lambda s: s["queue"]["batches"] >= 3)
    assert status["destinations"][0]["breaker"] in ("open", "half_open")
    assert str(code) in status["destinations"][0]["last_error"]
    healthy, health = process.health()
    assert not healthy
    reason = health["reasons"][0]
    assert "primary" in reason and str(code) in reason and word in reason
    answer = process.ask("health")
    assert answer.returncode == 69 and str(code) in answer.stdout

    assert sequences(endpoint.requests) == [1]
    endpoint.default = Answer()
    status = process.wait_for(lambda s: drained(s) and s["health"]["ok"], CALM_S)
    account = status["ledger"]["metrics"]
    assert account["dropped"] == 0 and account["delivered"] == account["collected"]
    assert status["destinations"][0]["breaker"] == "closed"
    check_nothing_missing(endpoint.requests)


@pytest.mark.parametrize("code", [500, 501, 599])
def test_faulty(limpet, endpoint, code):
    """Held too, but not this host's fault: healthy, delivery degraded."""
    endpoint.default = Answer(code)
    process = limpet(endpoint.url, *FAST, "spool.durability=never")
    status = process.wait_for(lambda s: s["queue"]["batches"] >= 3)
    assert status["destinations"][0]["breaker"] in ("open", "half_open")
    healthy, health = process.health()
    assert healthy and health["delivery"] == "degraded"
    assert sequences(endpoint.requests) == [1]
    endpoint.default = Answer()
    account = process.wait_for(drained, CALM_S)["ledger"]["metrics"]
    assert account["dropped"] == 0
    check_nothing_missing(endpoint.requests)


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_redirects_are_not_followed(limpet, endpoint, code):
    with Endpoint() as elsewhere:
        endpoint.default = Answer(code, headers={"Location": elsewhere.url + "/v1/metrics"})
        process = limpet(endpoint.url, *FAST)
        status = process.wait_for(lambda s: s["queue"]["batches"] >= 3)
        assert "redirect" in status["destinations"][0]["last_error"]
        assert not process.health()[0]
        assert elsewhere.connections == 0
        endpoint.default = Answer()
        assert process.wait_for(drained, CALM_S)["ledger"]["metrics"]["dropped"] == 0


def test_breaker_paces(limpet, endpoint):
    """While it is open one attempt a pause, and the pauses grow."""
    endpoint.default = Answer(503)
    process = limpet(endpoint.url, "host.interval=50ms", "retry.initial=20ms", "retry.max=20ms",
                     "retry.jitter=0", "breaker.failures=3", "breaker.open=1s",
                     "breaker.open_max=2s")
    requests = endpoint.wait(7, timeout=15)
    gaps = [b.arrived - a.arrived for a, b in zip(requests, requests[1:])]
    assert max(gaps[:2]) < 0.9, "closed: [retry] paces"
    # Once in an outage, a connection that can be made ends the pause.
    assert min(gaps[2:]) > 0.1 and sorted(gaps[2:])[1] > 0.98, "open: [breaker] paces"
    assert sorted(gaps[4:])[1] > 1.9, "doubling"
    assert {r.key for r in requests} == {requests[0].key}
    line = process.wait_for_log("destination is given a rest")
    assert len(line) == 1 and "503" in line[0]["error"]


# Partial success.

def test_partial_success(limpet, endpoint):
    endpoint.script(Answer(), Answer(body=partial_success("metrics", 3, "too old: cpu")),
                    Answer(body=partial_success("metrics", 10**9)))
    process = limpet(endpoint.url, *FAST)
    requests = endpoint.wait(5)
    assert len(keys(requests)) == len(requests), "never sent again"
    account = process.wait_for(drained, CALM_S)["ledger"]["metrics"]
    # It cannot reject more than it was sent.
    assert account["rejected"] == 3 + items(requests[2])
    assert account["dropped"] == 0
    line = process.lines("the destination rejected items")[0]
    assert line["rejected"] == "3" and line["message"] == "too old: cpu"


def test_a_restart_is_no_reset_of_the_hosts_counters(limpet, endpoint):
    """They count from the boot, and say so in the same words after it."""
    starts = set()
    for _ in range(3):
        before = len(endpoint.requests)
        process = limpet(endpoint.url, "host.metrics=cpu", *FAST)
        until(lambda: len(endpoint.requests) > before, what="a cycle")
        starts |= {point.start for request in endpoint.requests[before:] for point in points(request.message)
                   if point.name == "system.cpu.time"}
        process.stop()
    assert len(starts) == 1


def test_graceful_stop_delivers_what_is_left(limpet, endpoint):
    """Held behind a 503 with a long pause; TERM comes: the pause is over, all is sent."""
    endpoint.script(Answer(503, headers={"Retry-After": "60"}))
    process = limpet(endpoint.url, "host.interval=50ms")
    process.wait_for(lambda s: s["queue"]["batches"] >= 10)
    assert process.stop() == 0
    account = process.final_account()
    assert account["delivered"] == account["collected"] == sum(items(r) for r in endpoint.requests[1:])
    check_nothing_missing(endpoint.requests)
