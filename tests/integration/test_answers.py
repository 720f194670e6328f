"""The answer table of spec.md section 5, row by row, against the scriptable endpoint: which answer costs
what, what is sent again, and what becomes of the items at fault.

Transport failures, time-outs and the headers of an ordinary request are in test_delivery.py.
"""

import json
import math
import re
import time

import pytest

from endpoint import Answer, Endpoint, partial_success
from limpet import FAST, GENERATOR, generating, until
from otlp import points

# One cycle of one point each 50 ms, so that nothing can be bisected.
ONE_POINT = ("host.interval=50ms", "host.metrics=system")
# Pauses by which [retry] and [breaker] can be told apart.
PACED = ("retry.initial=10ms", "retry.max=10ms", "retry.jitter=0", "breaker.failures=1000",
         "breaker.open=250ms", "breaker.open_max=250ms")

RETRYABLE = (429, 502, 503, 504)
REFUSED = (400, 413, 422)
MISCONFIGURED = (300, 301, 302, 303, 304, 305, 307, 308,
                 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 414, 415, 416, 417, 418,
                 421, 423, 424, 425, 426, 428, 431, 451, 499)
FAULTY = (500, 501, 505, 506, 507, 508, 510, 511, 520, 599, 600, 999)
ACCEPTED = (200, 201, 202, 203, 204, 205, 206, 226, 299)


def same(first, second):
    """Whether two requests are attempts of one batch: nothing of them differs."""
    def told(request):
        return (request.method, request.path, request.headers, request.body)
    return told(first) == told(second)


def attempts(requests):
    """Lists of requests with the same key, in order. None of them is overtaken."""
    found = []
    for request in requests:
        if found and found[-1][0].key == request.key:
            found[-1].append(request)
        else:
            found.append([request])
    assert len({batch[0].key for batch in found}) == len(found), "a batch was overtaken"
    return found


def requests_by_code(process):
    """limpet_requests_total by code: {200: …, 503: …}."""
    return {int(code): int(count) for code, count in re.findall(
        r'^limpet_requests_total\{.*code="(\d+)"\} (\d+)$', process.get("/metrics")[1], re.M)}


def dead(process):
    done = process.ask("dead", "list", "--json")
    assert done.returncode == 0, done
    return [json.loads(text) for text in done.stdout.splitlines()]


def settled(status):
    """Nothing is held but what has come in the last moments."""
    return status["held"]["spool"] == 0 and status["queue"]["batches"] <= 1


# Row by row.

@pytest.mark.parametrize("codes,pace", [
    pytest.param(RETRYABLE, "retry", id="retryable"),
    pytest.param(MISCONFIGURED, "breaker", id="misconfigured"),
    pytest.param(FAULTY, "breaker", id="faulty")])
def test_sent_again(limpet, endpoint, codes, pace):
    """At the pace of its class, the same bytes under the same key, before all that came later."""
    for code in codes:
        # Where a redirect points to must not matter.
        headers = {"Location": f"{endpoint.url}/elsewhere"} if 300 <= code < 400 else {}
        endpoint.script(Answer(code, headers=headers), Answer())
    process = limpet(endpoint.url, *ONE_POINT, *PACED, "spool.durability=never")
    endpoint.wait(2 * len(codes) + 2, timeout=5 + 0.5 * len(codes))
    counted = requests_by_code(process)
    assert process.stop() == 0
    account = process.final_account()
    assert account["delivered"] == account["collected"], account
    failed = [batch for batch in attempts(endpoint.requests) if len(batch) > 1]
    assert [batch[0].answer.status for batch in failed] == list(codes)
    for first, second in failed:
        code = first.answer.status
        assert same(first, second), code
        assert (second.arrived - first.arrived < 0.2) == (pace == "retry"), (
            code, second.arrived - first.arrived)
    most = 16  # Distinct codes that are counted one by one.
    assert all(counted[code] == 1 for code in codes[:most // 2])


def test_accepted(limpet, endpoint):
    """Any 2xx, and never again."""
    for code in ACCEPTED:
        endpoint.script(Answer(code, headers={"Content-Length": None} if code == 204 else {}))
    process = limpet(endpoint.url, *ONE_POINT, *PACED)
    requests = endpoint.wait(len(ACCEPTED) + 2)
    assert process.stop() == 0
    assert all(len(batch) == 1 for batch in attempts(requests))
    account = process.final_account()
    assert account["delivered"] == account["collected"], account


@pytest.mark.parametrize("code", REFUSED)
def test_refused(limpet, endpoint, code):
    """One point that nobody wants: a dead letter with the answer; the line goes on at once."""
    endpoint.script(Answer(), Answer(code, body=b"not this one", headers={"Content-Type": "text/plain"}))
    process = limpet(endpoint.url, *ONE_POINT, *PACED)
    requests = endpoint.wait(4)
    assert all(len(batch) == 1 for batch in attempts(requests)), "not tried again"
    letters = dead(process)
    assert [(letter["key"], letter["destination"], letter["items"]) for letter in letters] == [
        (requests[1].key, "primary", 1)]
    assert letters[0]["answer"].startswith(str(code)) and "not this one" in letters[0]["answer"]
    assert process.status()["destinations"][0]["breaker"] == "closed"
    assert process.health()[0]
    assert process.stop() == 0
    account = process.final_account()
    assert (account["dead"], account["dropped"]) == (1, 0)
    assert account["delivered"] == account["collected"] - 1


@pytest.mark.parametrize("answer", [
    pytest.param(Answer(400, body=b"x" * 10_000_000), id="10MB"),
    pytest.param(Answer(400, body=bytes(range(256)) * 40), id="garbage"),
    pytest.param(Answer(400, body=b"x" * 1000, cut=300), id="half-a-body"),
    pytest.param(Answer(400, cut=40), id="half-a-head"),
    pytest.param(Answer(400, headers={"Content-Length": None}, close=True), id="nothing"),
    pytest.param(Answer(400, body=b"no" * 20, trickle=0.002), id="slow-bytes")])
def test_refused_by_the_status_line(limpet, endpoint, answer):
    """Whatever follows a refusal, the batch is not taken for one that may have arrived."""
    endpoint.script(Answer(), answer)
    process = limpet(endpoint.url, *ONE_POINT, *PACED)
    requests = endpoint.wait(4, timeout=20)
    assert all(len(batch) == 1 for batch in attempts(requests)), "not tried again"
    assert [letter["key"] for letter in dead(process)] == [requests[1].key]
    assert process.stop() == 0


# What an answer says.

def status_message(text):
    """A google.rpc.Status in protobuf: code = 3, message = text."""
    text = text.encode()
    size = bytes([len(text)]) if len(text) < 128 else bytes([len(text) & 127 | 128, len(text) >> 7])
    return b"\x08\x03\x12" + size + text


@pytest.mark.parametrize("content_type,body", [
    pytest.param("application/x-protobuf", status_message("tenant is full"), id="protobuf"),
    pytest.param("application/json", b'{"code": 3, "message": "tenant is full"}', id="json"),
    pytest.param("text/plain; charset=utf-8", b"tenant is full\n", id="text"),
    pytest.param("text/plain", b"tenant is full\n" + b"x" * 70000, id="beyond-64KiB")])
def test_message_of_an_error(limpet, endpoint, content_type, body):
    """A google.rpc.Status, in either encoding, or a proxy's line: shown with the error."""
    endpoint.default = Answer(503, body=body, headers={"Content-Type": content_type})
    process = limpet(endpoint.url, *ONE_POINT, *PACED)
    process.wait_for(lambda s: "tenant is full" in (s["destinations"][0]["last_error"] or ""))
    assert "tenant is full" in process.wait_for_log("delivery fails")[0]["error"]
    assert len(process.status()["destinations"][0]["last_error"]) < 512


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_partial_success_of_logs(limpet, endpoint, encoding):
    answer = {
        "protobuf": Answer(body=partial_success("logs", 3, "too old")),
        "json": Answer(headers={"Content-Type": "application/json"}, body=json.dumps(
            {"partialSuccess": {"rejectedLogRecords": "3", "errorMessage": "too old"}}).encode()),
    }[encoding]
    endpoint.script(Answer(), answer)
    process = limpet(endpoint.url, *FAST, "queue.batch_delay=100ms", host=False, program=GENERATOR,
                     env=generating(100))
    requests = endpoint.wait(4)
    assert len({r.key for r in requests}) == len(requests), "never sent again"
    account = process.wait_for(lambda s: s["ledger"]["logs"]["delivered"] > 20)["ledger"]["logs"]
    assert (account["rejected"], account["dropped"], account["dead"]) == (3, 0, 0)
    said = process.lines("the destination rejected items")[0]
    assert (said["signal"], said["rejected"], said["message"]) == ("logs", "3", "too old")


# Retry-After.

@pytest.mark.parametrize("code", RETRYABLE)
def test_retry_after_is_a_floor(limpet, endpoint, code):
    endpoint.script(Answer(code, headers={"Retry-After": "1"}))
    limpet(endpoint.url, *ONE_POINT, *PACED)
    first, second = endpoint.wait(2)[:2]
    assert same(first, second)
    assert 0.95 < second.arrived - first.arrived < 3


@pytest.mark.parametrize("value", ["soon", "-1", "", "1e9", "Thu, 01 Jan 1970 00:00:00 GMT",
                                   "Mon, 99 Foo 2026 99:99:99 GMT"])
def test_retry_after_that_says_nothing(limpet, endpoint, value):
    endpoint.script(Answer(503, headers={"Retry-After": value}))
    limpet(endpoint.url, *ONE_POINT, *PACED)
    first, second = endpoint.wait(2)[:2]
    assert same(first, second)
    assert second.arrived - first.arrived < 0.5


def test_retry_after_for_ever(limpet, endpoint):
    """Nobody can send us away for longer than an hour."""
    endpoint.script(Answer(503, headers={"Retry-After": "99999999999999999999"}))
    process = limpet(endpoint.url, *ONE_POINT, *PACED)
    endpoint.wait(1)
    process.wait_for(lambda s: 3000 < s["destinations"][0]["next_attempt_seconds"] <= 3600)


# Bisecting. A receiver of numbered lines does not want some of them.

def lines_of(request):
    """The numbers of its lines, in their order."""
    return [int(record.body.string_value[5:14]) for resource in request.message.resource_logs
            for scope in resource.scope_logs for record in scope.log_records]


class Picky:
    """A receiver that refuses a request with a bad line in it.

    keeps_good: as Loki does, it keeps the others of such a request all the same.
    most: it refuses requests with more lines, too.
    """

    def __init__(self, bad=lambda number: False, code=400, keeps_good=False, most=10**9):
        self.bad, self.code, self.keeps_good, self.most = bad, code, keeps_good, most
        self.kept = []

    def __call__(self, request):
        lines = lines_of(request)
        bad = [number for number in lines if self.bad(number)]
        refused = bad or len(lines) > self.most
        if not refused or self.keeps_good:
            self.kept += [number for number in lines if not self.bad(number)]
        return Answer(self.code, body=b"bad line", headers={"Content-Type": "text/plain"}) if refused \
            else Answer()


RATE = 400


def dead_lines(process):
    """The lines of each dead letter."""
    shown = [process.ask("dead", "show", letter["id"], "--json").stdout for letter in dead(process)]
    return [[int(number) for number in re.findall(r'"line (\d{9}) ', text)] for text in shown]


def feed(limpet, endpoint, picky, lines, *settings):
    """Runs until so many lines have an outcome. Returns (process after its stop, what it collected of
    lines, the lines of each dead letter)."""
    endpoint.default = Answer(judge=picky)
    process = limpet(endpoint.url, *FAST, "queue.batch_delay=200ms", *settings, host=False,
                     program=GENERATOR, env=generating(RATE))

    def done(status):
        account = status["ledger"]["logs"]
        return account["delivered"] + account["dead"] >= lines
    process.wait_for(done, timeout=20)
    assert process.stop() == 0
    account = logs_account(process)
    letters = dead_lines(process)
    assert account["dead"] == sum(map(len, letters))
    assert account["dropped"] == account["held"] == account["rejected"] == 0
    return process, range(1, account["collected"] + 1), letters


def logs_account(process):
    line = [line for line in process.lines("ledger") if line["signal"] == "logs"][-1]
    return {key: int(line[key]) for key in ("collected", "delivered", "rejected", "dropped", "dead", "held")}


def check_parts(requests):
    """The parts of each batch, by their keys: they follow the whole at once, each is its half of the one
    it came from, and together they are all of it. Returns {key of the batch: number of requests}."""
    counts, order = {}, []
    by_key = {request.key: lines_of(request) for request in requests}
    for request in requests:
        base, _, path = request.key.partition(".")
        assert re.fullmatch(r"[0-9a-f-]{36}-[0-9a-f]{16}-logs-[1-9]\d*(\.[01]+)?", request.key)
        counts[base] = counts.get(base, 0) + 1
        order.append(base)
        assert (request.method, request.path) == ("POST", "/v1/logs")
        assert request.headers["content-type"] == "application/x-protobuf"
        assert request.headers["content-encoding"] == "gzip"
        assert request.headers["user-agent"].startswith("limpet/")
        lines = by_key[request.key]
        assert lines == list(range(lines[0], lines[-1] + 1)), "cut along time"
        if path:
            whole = by_key[base]
            assert set(lines) < set(whole), "a part of it"
    assert order == sorted(order, key=list(counts).index), "nothing overtakes the parts"
    assert len(by_key) == len(requests), "no part is sent twice"
    return counts


def test_one_bad_line(limpet, endpoint):
    """Refused as a whole, as Prometheus does: every good line arrives once, in order, within
    2·log2(n) + 2 requests; the bad ones are dead letters, one each."""
    picky = Picky(bad=lambda number: number % 500 == 250)
    _, collected, letters = feed(limpet, endpoint, picky, 1200)
    counts = check_parts(endpoint.requests)
    assert picky.kept == [number for number in collected if not picky.bad(number)]
    assert letters == [[number] for number in collected if picky.bad(number)]
    assert len(letters) >= 2
    for request in endpoint.requests:
        lines = lines_of(request)
        if "." not in request.key:
            most = 2 * math.log2(len(lines)) + 2 if any(map(picky.bad, lines)) else 1
            assert counts[request.key] <= most, len(lines)


def test_many_bad_lines(limpet, endpoint):
    """Several in one batch, next to one another and not."""
    picky = Picky(bad=lambda number: number % 40 in (3, 4, 20))
    _, collected, letters = feed(limpet, endpoint, picky, 600)
    check_parts(endpoint.requests)
    assert picky.kept == [number for number in collected if not picky.bad(number)]
    assert sum(letters, []) == [number for number in collected if picky.bad(number)], "those at fault alone"


def test_who_keeps_the_good_part_of_a_400(limpet, endpoint):
    """Loki: what it kept comes again, that is all: nothing is lost, nothing out of order."""
    picky = Picky(bad=lambda number: number % 200 == 77, keeps_good=True)
    _, collected, letters = feed(limpet, endpoint, picky, 800)
    good = [number for number in collected if not picky.bad(number)]
    assert list(dict.fromkeys(picky.kept)) == good, "each arrives, at first in order"
    assert len(picky.kept) > len(good), "repeats, an unknown outcome"
    assert letters == [[number] for number in collected if picky.bad(number)]


@pytest.mark.parametrize("code", [413, 422])
def test_too_many_at_once(limpet, endpoint, code):
    """A receiver that takes 20 lines at most gets them by the handful; none is a dead letter."""
    picky = Picky(code=code, most=20)
    _, collected, letters = feed(limpet, endpoint, picky, 600)
    check_parts(endpoint.requests)
    assert letters == []
    assert picky.kept == list(collected)


def test_times_of_parts(limpet, endpoint):
    """Bisecting changes no record: what the parts hold is what the whole held, byte for byte."""
    picky = Picky(bad=lambda number: number == 150)
    feed(limpet, endpoint, picky, 400)

    def records(request):
        return [(resource.resource.SerializeToString(), scope.scope.SerializeToString(),
                 record.SerializeToString()) for resource in request.message.resource_logs
                for scope in resource.scope_logs for record in scope.log_records]
    whole = next(r for r in endpoint.requests if r.answer.status == 400)
    assert "." not in whole.key
    parts = [r for r in endpoint.requests if r.key.startswith(f"{whole.key}.")]
    ends = [r for r in parts if r.answer.status == 200 or len(lines_of(r)) == 1]
    assert [record for part in ends for record in records(part)] == records(whole)


@pytest.mark.parametrize("durability", ["on_demand", "always"])
def test_a_part_that_fails_is_sent_again(limpet, endpoint, durability):
    """In the middle of bisecting the endpoint goes down: the part is sent again, the same bytes under
    the same key, and bisecting goes on."""
    picky = Picky(bad=lambda number: number == 150)
    failures = []

    def judge(request):
        if "." in request.key and len(failures) < 3:
            failures.append(request.key)
            return Answer(503)
        return picky(request)
    _, collected, letters = feed(limpet, endpoint, judge, 400, f"spool.durability={durability}")
    assert len(set(failures)) == 1
    tries = [r for r in endpoint.requests if r.key == failures[0]]
    assert len(tries) == 4 and all(same(tries[0], r) for r in tries)
    assert picky.kept == [number for number in collected if number != 150]
    assert letters == [[150]]


@pytest.mark.parametrize("points_each", [1, 4])
def test_three_batches_in_a_row(limpet, endpoint, points_each):
    """The first two become dead letters, one each, the third and all after it are held: who refuses
    everything is taken for misconfigured. Once it is set right all goes on, and the two can be sent
    again."""
    endpoint.default = Answer(400)
    process = limpet(endpoint.url, *FAST, "host.interval=50ms",
                     f"host.metrics={'system' if points_each == 1 else 'load, system'}")
    status = process.wait_for(lambda s: s["ledger"]["metrics"]["held"] >= 6 * points_each)
    batches = list(dict.fromkeys(r.key.partition(".")[0] for r in endpoint.requests))
    assert len(batches) == 3, "what comes after the third waits behind it"
    assert [(letter["key"], letter["items"]) for letter in dead(process)] == [
        (batch, points_each) for batch in batches[:2]]
    assert status["ledger"]["metrics"]["dead"] == 2 * points_each
    healthy, health = process.health()
    assert not healthy and "400" in health["reasons"][0]
    endpoint.default = Answer()
    process.wait_for(lambda s: settled(s) and s["health"]["ok"])
    assert len(dead(process)) == 2
    done = process.ask("dead", "retry")
    assert done.returncode == 0, done
    process.wait_for(lambda s: s["ledger"]["metrics"]["dead"] == 0 and settled(s))
    assert process.stop() == 0
    account = process.final_account()
    assert account["delivered"] == account["collected"]
    for key in {r.key for r in endpoint.requests}:
        tries = [r for r in endpoint.requests if r.key == key]
        assert all(same(tries[0], r) for r in tries)
        # Parts were sent while everything was refused; then the whole was welcome.
        assert sum(r.answer.status == 200 for r in tries) == ("." not in key)


def test_dead_lines_are_sent_again(limpet, endpoint):
    """`limpet dead retry` after the receiver has changed its mind: the lines arrive, under their keys."""
    picky = Picky(bad=lambda number: number % 100 == 50)
    endpoint.default = Answer(judge=picky)
    process = limpet(endpoint.url, *FAST, "queue.batch_delay=200ms", host=False, program=GENERATOR,
                     env=generating(RATE))
    process.wait_for(lambda s: s["ledger"]["logs"]["dead"] >= 3)
    picky.bad = lambda number: False
    process.wait_for(lambda s: settled(s))
    letters = dead(process)
    done = process.ask("dead", "retry")
    assert (done.returncode, done.stdout.split()[0]) == (0, str(len(letters))), done
    process.wait_for(lambda s: s["ledger"]["logs"]["dead"] == 0 and settled(s))
    assert process.stop() == 0
    assert sorted(picky.kept) == list(range(1, logs_account(process)["collected"] + 1))
    by_key = {}
    for request in endpoint.requests:
        by_key.setdefault(request.key, []).append(request)
    for letter in letters:
        refused, accepted = by_key[letter["key"]]
        assert same(refused, accepted)


# Unknown outcomes, and two destinations.

@pytest.fixture
def other():
    with Endpoint() as started:
        yield started


def two(other, *settings):
    """Settings for a fallback beside primary."""
    return (f"destination.fallback.url={other.url}", "destination.fallback.priority=2", *settings)


UNKNOWN = [pytest.param(Answer(reset=True), id="reset"), pytest.param(Answer(raw=b""), id="closed"),
           pytest.param(Answer(cut=12), id="half-a-status-line"),
           pytest.param(Answer(never=True), id="time-out")]


@pytest.mark.parametrize("answer", UNKNOWN)
def test_at_least_once(limpet, endpoint, other, answer):
    """After an unknown outcome the same bytes under the same key, to whoever takes them now. (Lost on a
    kept connection, it is first sent there once more, on a new one.)"""
    endpoint.script(answer)
    limpet(endpoint.url, *FAST, *ONE_POINT, *two(other, "destination.primary.timeout=1s"))
    unknown = endpoint.wait(1)[0]
    first = other.wait(1)[0]
    assert same_batch(unknown, first)
    assert first.arrived - unknown.arrived < 2.0, "at once, or within one time-out"


def same_batch(first, second):
    """At another destination only Host differs."""
    return first.body == second.body and all(
        first.headers.get(name) == second.headers.get(name)
        for name in first.headers.keys() | second.headers.keys() if name != "host")


@pytest.mark.parametrize("answer", UNKNOWN)
def test_at_most_once(limpet, endpoint, other, answer):
    """An unknown outcome is a loss, counted; a certain failure is none."""
    endpoint.script(Answer(), Answer(503), answer)
    process = limpet(endpoint.url, *FAST, *ONE_POINT, "destination.primary.guarantee=at_most_once",
                     "destination.primary.timeout=1s")
    requests = endpoint.wait(5)
    assert requests[1].key == requests[2].key, "503: it has not taken it"
    assert [r.key for r in requests].count(requests[2].key) == 2, "never again"
    status = process.wait_for(lambda s: s["ledger"]["metrics"]["dropped"] > 0)
    assert status["ledger"]["metrics"]["dropped_by"] == {"unknown": 1}
    process.stop()


@pytest.mark.parametrize("answer", UNKNOWN)
def test_exactly_once(limpet, endpoint, other, answer):
    """After an unknown outcome to this destination only, though another is healthy."""
    endpoint.script(Answer(), answer)
    process = limpet(endpoint.url, *FAST, *ONE_POINT, *two(
        other, "destination.primary.guarantee=exactly_once", "destination.primary.timeout=1s",
        "breaker.failback=300ms"))
    unknown = endpoint.wait(2)[1]
    again = until(lambda: [r for r in endpoint.requests[2:] if r.key == unknown.key], 20)[0]
    assert same(unknown, again)
    process.wait_for(settled, timeout=20)
    assert process.stop() == 0
    assert unknown.key not in {r.key for r in other.requests}
    account = process.final_account()
    assert account["delivered"] == account["collected"]


def test_probes(limpet, endpoint, other):
    """While another destination is healthy the failing one is asked by empty requests without a key, at
    the breaker's pace; it gets its traffic back after `failback`, and the first batch is the proof."""
    endpoint.script(Answer())
    endpoint.default = Answer(503)
    process = limpet(endpoint.url, *ONE_POINT, *two(
        other, "breaker.open=300ms", "breaker.open_max=600ms", "breaker.failback=1s"))
    failed = endpoint.wait(2)[1]
    assert same_batch(failed, other.wait(1)[0])
    probes = endpoint.wait(5)[2:]
    back = time.time()
    endpoint.default = Answer()
    data = until(lambda: [r for r in endpoint.requests[2:] if r.key is not None])[0]
    probes = endpoint.requests[2:endpoint.requests.index(data)]
    assert process.stop() == 0
    for probe in probes:
        assert (probe.method, probe.key) == ("POST", None)
        assert probe.message.ByteSize() == 0
        assert probe.headers["content-type"] == "application/x-protobuf"
        assert probe.headers["user-agent"].startswith("limpet/")
    gaps = [b.arrived - a.arrived for a, b in zip(probes, probes[1:]) if b.arrived < back]
    assert all(gap > 0.28 for gap in gaps), gaps
    assert data.arrived - back >= 0.95, "failback"
    # Each batch once, in order at each, and none is missing.
    accepted = sorted((r for e in (endpoint, other) for r in e.requests
                       if r.key is not None and r.answer.status == 200), key=lambda r: r.arrived)
    assert len({r.key for r in accepted}) == len(accepted)
    assert [int(r.key.rsplit("-", 1)[1]) for r in accepted] == list(range(1, len(accepted) + 1))
    account = process.final_account()
    assert account["delivered"] == account["collected"] == sum(len(points(r.message)) for r in accepted)


@pytest.mark.parametrize("code", [429, 503])
def test_retry_after_with_another_destination(limpet, endpoint, other, code):
    """Nobody waits for a floor while another takes the data; but the floor is kept, by probes, too."""
    endpoint.script(Answer(code, headers={"Retry-After": "2"}))
    limpet(endpoint.url, *FAST, *ONE_POINT, *two(other))
    first = endpoint.wait(1)[0]
    taken = other.wait(1)[0]
    assert same_batch(first, taken) and taken.arrived - first.arrived < 0.5
    second = endpoint.wait(2)[1]
    assert second.arrived - first.arrived > 1.95


@pytest.mark.parametrize("code", [401, 404, 500, 302])
def test_held_answers_with_another_destination(limpet, endpoint, other, code):
    """Misconfigured or faulty: the data goes to the other; status says what to set right."""
    endpoint.default = Answer(code)
    process = limpet(endpoint.url, *FAST, *ONE_POINT, *two(other))
    taken = other.wait(3)
    assert same_batch(endpoint.requests[0], taken[0])
    told = {destination["name"]: destination for destination in process.status()["destinations"]}
    assert str(code) in told["primary"]["last_error"]
    assert told["primary"]["breaker"] != "closed"
    assert told["fallback"]["breaker"] == "closed"
    assert process.stop() == 0
    account = process.final_account()
    assert account["delivered"] == account["collected"]
