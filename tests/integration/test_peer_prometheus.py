"""Prometheus, the judge of order, takes host metrics with one bad sample among them.

Prometheus rolls a whole request back when one of its samples is out of order. limpet reaches it through
endpoint.py, which hands every request on and, just before one of them, writes one of its series a
millisecond into the future: that sample alone is then too late. All others have to be there in the end,
each once, and the bad one is a dead letter.
"""

import gzip
import json
import math
import os
import pathlib
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter

import pytest

from endpoint import Answer, Endpoint, message_type
from limpet import FAST, free_port, until
from otlp import attributes, points, points_of
from peers import Server, peer, report, table

OTLP = "/api/v1/otlp"
BAD = "system.memory.linux.available"     # A metric of one series.


class Prometheus:
    """The server with its defaults: it refuses what is out of order."""

    def __init__(self, folder, config_text="global: {}\n"):
        self.url = f"http://127.0.0.1:{free_port()}"
        config = folder / "prometheus.yml"
        config.write_text(config_text)
        self.server = Server(folder / "prometheus.log", peer("prometheus"), f"--config.file={config}",
                             f"--storage.tsdb.path={folder}/tsdb", "--web.enable-otlp-receiver",
                             f"--web.listen-address={self.url[7:]}", "--log.level=warn")

    def __enter__(self):
        self.server.start()
        try:
            until(lambda: self.get("/-/ready")[0] == 200, 30, "Prometheus", every=0.1)
        except AssertionError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.server.kill()
        print(self.server.log.read_text(errors="replace"))

    def get(self, path, **options):
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, **options),
                                        timeout=20) as answer:
                return answer.status, answer.read(), dict(answer.headers)
        except urllib.error.HTTPError as error:
            return error.code, error.read(), dict(error.headers)
        except OSError:
            return 0, b"", {}

    def write(self, path, body, headers):
        """Returns its answer as an Answer."""
        status, body, headers = self.get(path, data=body, headers=headers)
        assert status, "Prometheus is gone"
        return Answer(status, body=body, headers={"Content-Type": headers.get("Content-Type")})

    def query(self, query, **parameters):
        status, body, _ = self.get("/api/v1/query?" + urllib.parse.urlencode({"query": query, **parameters}))
        assert status == 200, body
        return json.loads(body)["data"]["result"]

    def samples(self, query):
        """All samples of the last hour: a list of (labels, [ms, …]). target_info is not one of ours."""
        return [(series["metric"], [round(float(time) * 1000) for time, _ in series["values"]])
                for series in self.query(f"{query}[1h]")]


class Spoiler:
    """Hands requests on to Prometheus. Of one of them it first spoils a sample."""

    def __init__(self, prometheus, chosen):
        self.prometheus = prometheus
        self.chosen = chosen           # A function: whether it is this request.
        self.key = self.bad = None     # The spoilt request's key, and its bad point.

    def __call__(self, request):
        if self.bad is None and self.chosen(request):
            self.key, self.bad = request.key, self.spoil(request.message)
        headers = {name: request.headers[name] for name in ("content-type", "content-encoding")}
        return self.prometheus.write(request.path, request.body, headers)

    def spoil(self, message):
        """Makes the first sample of BAD too late: its series has one a millisecond after it."""
        bad = min((p for p in points(message) if p.name == BAD), key=lambda p: p.time)
        newer = message_type("metrics")()
        resource = newer.resource_metrics.add()
        # Without the other attributes: no target_info, which would be newer, too.
        resource.resource.attributes.extend(
            a for a in message.resource_metrics[0].resource.attributes
            if a.key in ("service.name", "service.instance.id"))
        metric = resource.scope_metrics.add().metrics.add()
        metric.CopyFrom(next(m for m in message.resource_metrics[0].scope_metrics[0].metrics
                             if m.name == BAD))
        del metric.sum.data_points[1:]
        metric.sum.data_points[0].time_unix_nano = bad.time + 1_000_000
        answer = self.prometheus.write(f"{OTLP}/v1/metrics", newer.SerializeToString(),
                                       {"Content-Type": "application/x-protobuf"})
        assert answer.status == 200, answer.body
        return bad


HEADINGS = ("points of the batch", "moments", "requests", "of them refused", "2·log2(n) + 2", "dead letters")
ROWS = []


@pytest.fixture(scope="module", autouse=True)
def show(request):
    yield
    if ROWS:
        report(request.config, "peer_prometheus", table(HEADINGS, ROWS))


def of_batch(request, key):
    return request.key.partition(".")[0] == key


@pytest.mark.parametrize("moments", ["one", "many"])
def test_one_bad_sample(limpet, folder, moments):
    with Prometheus(folder) as prometheus, Endpoint() as endpoint:
        settings = [*FAST, "spool.commit_interval=1s"]
        if moments == "one":
            settings.append("host.interval=300ms")
            spoiler = Spoiler(prometheus, lambda request: len(endpoint.requests) >= 2)
            endpoint.default = Answer(judge=spoiler)
        else:
            # While it spills, the cycles of a second share a batch.
            settings += ["host.interval=100ms", "host.metrics=load, memory, system"]
            spoiler = Spoiler(prometheus,
                              lambda request: len({p.time for p in points(request.message)}) > 3)
            endpoint.default = Answer(503)
        process = limpet(endpoint.url + OTLP, *settings)
        if moments == "many":
            process.wait_for(lambda s: s["spool"]["batches"] >= 3)
            endpoint.default = Answer(judge=spoiler)
        process.wait_for(lambda s: spoiler.bad is not None and s["ledger"]["metrics"]["dead"] == 1,
                         what="a dead letter")
        seen = len(endpoint.requests)
        endpoint.wait(seen + 3)        # The line goes on.

        done = process.ask("dead", "list", "--json")
        letters = [json.loads(text) for text in done.stdout.splitlines()]
        shown = process.ask("dead", "show", letters[0]["id"], "--json")
        codes = {int(code): int(count) for code, count in re.findall(
            r'^limpet_requests_total\{destination="primary",code="(\d+)"\} (\d+)$',
            process.get("/metrics")[1], re.M)}
        assert process.stop() == 0
        requests = [r for r in endpoint.requests if r.answer.status != 503]
        stored = prometheus.samples('{job="limpet",__name__!="target_info"}')

    # Everything else arrived, once; Prometheus has the time in milliseconds.
    bodies = {r.key: r for r in requests if "." not in r.key}
    assert len(bodies) == len([r for r in requests if "." not in r.key])
    expected = Counter(p.time // 1_000_000 for r in bodies.values() for p in points(r.message))
    expected[spoiler.bad.time // 1_000_000] -= 1
    expected[spoiler.bad.time // 1_000_000 + 1] += 1       # The spoiler's own.
    assert Counter(ms for _, times in stored for ms in times) == expected
    account = process.final_account()
    assert account["dead"] == 1
    assert account["delivered"] == account["collected"] - 1

    # Within the bound, of which Prometheus saw no more.
    spoilt = points(bodies[spoiler.key].message)
    tries = [r for r in requests if of_batch(r, spoiler.key)]
    refused = sum(r.answer.status == 400 for r in tries)
    most = 2 * math.log2(len(spoilt)) + 2
    moments = len({p.time for p in spoilt})
    ROWS.append((len(spoilt), moments, len(tries), refused, f"{most:.1f}", len(letters)))
    assert tries == requests[requests.index(tries[0]):][:len(tries)], "nothing overtakes the parts"
    assert len(tries) <= most
    assert codes[400] == sum(r.answer.status == 400 for r in requests) == refused
    times = [p.time for r in requests if r.answer.status == 200 for p in points(r.message)]
    assert times == sorted(times), "parts follow one another in time"

    # The letter is the bad sample, with what was said of it.
    assert len(letters) == 1
    letter = letters[0]
    assert (letter["items"], letter["destination"]) == (1, "primary")
    assert letter["answer"].startswith("400") and "out of order" in letter["answer"]
    assert letter["key"].startswith(f"{spoiler.key}.")
    assert points(next(r.message for r in tries if r.key == letter["key"])) == [spoiler.bad]
    assert str(spoiler.bad.time) in shown.stdout


REPLAY = pathlib.Path(os.environ.get("LIMPET", "limpet")).with_name("host-replay")
# The names as they are, so that series can be found again; and what tells processes apart.
AS_SENT = """\
otlp:
  translation_strategy: NoTranslation
  promote_resource_attributes: [process.pid]
"""
EDGE_BYTES = {"__name__": "system.network.io", "network.interface.name": "eth0",
              "network.io.direction": "receive"}


def replayed(folder):
    """The requests of tests/replay, their bodies as they went over the wire; how many points were
    collected; when it began."""
    path, begin = folder / "requests", int(time.time()) - 50 * 60
    collected = int(subprocess.run([REPLAY, str(begin), path], check=True, capture_output=True).stdout)
    requests = []
    with open(path, "rb") as file:
        while head := file.readline().split():
            requests.append((head[0].decode(), file.read(int(head[1]))))
    return requests, collected, begin


def series_of(message):
    """The plain samples as Prometheus shall have them: (labels, ms, value)."""
    for resource in message.resource_metrics:
        of_resource = attributes(resource.resource.attributes)
        labels = {"job": of_resource["service.name"], "instance": of_resource["service.instance.id"]}
        if "process.pid" in of_resource:
            labels["process.pid"] = str(of_resource["process.pid"])
        for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
            for point in points_of(metric):
                if point.number == "histogram":
                    continue
                own = {name: str(value) for name, value in point.attributes.items()}
                yield (frozenset({"__name__": metric.name, **labels, **own}.items()),
                       point.time // 1_000_000, float(point.value))


def test_half_an_hour_with_outages(folder):
    """A host of which the network, the destination's memory and the program itself fail in turn."""
    requests, collected, begin = replayed(folder)
    expected, identities, counters = {}, set(), set()
    with Prometheus(folder, AS_SENT) as prometheus:
        for encoding, body in requests:
            headers = {"Content-Type": "application/x-protobuf"}
            if encoding == "gzip":
                headers["Content-Encoding"] = "gzip"
            answer = prometheus.write(f"{OTLP}/v1/metrics", body, headers)
            assert answer.status == 200, answer.body
            message = message_type("metrics").FromString(gzip.decompress(body) if encoding == "gzip" else body)
            for labels, ms, value in series_of(message):
                assert expected.setdefault((labels, ms), value) == value, "an item has changed"
                identities.add(labels)
            counters |= {point.name for point in points(message) if point.kind == "counter"}
        stored = {(frozenset(series["metric"].items()), round(float(at) * 1000)): float(value)
                  for series in prometheus.query('{job="limpet"}[1h]') if "__name__" in series["metric"]
                  for at, value in series["values"]}
        resets = {name: prometheus.query(f'max(resets({{"{name}"}}[1h]))') for name in counters}
        selector = ",".join(f'{json.dumps(key)}="{value}"' for key, value in EDGE_BYTES.items()
                            if key != "__name__")
        rate = prometheus.query(f'rate({{"{EDGE_BYTES["__name__"]}",{selector}}}[25m])', time=begin + 1795)

    ours = {key: value for key, value in stored.items()
            if dict(key[0])["__name__"] != "target_info" and key[0] in identities}
    assert ours == expected
    strangers = {dict(labels)["__name__"] for labels, _ in stored if labels not in identities} - {"target_info"}
    assert all(name.startswith("limpet.") for name in strangers), strangers
    # A moment that two requests have in part is there once; histograms have series of their own.
    assert collected - len(expected) < collected / 50
    for name, found in resets.items():
        # What the program counts of itself begins anew with it, the kernel's counters do not.
        allowed = {0, 1} if name.startswith("limpet.") else {0}
        assert {float(one["value"][1]) for one in found} <= allowed, name
    # Through all of it the interface took a kilobyte a second.
    assert [float(series["value"][1]) for series in rate] == [pytest.approx(1000, rel=0.01)]
    # Nothing is missing in between: each series of the host has a sample every five seconds.
    moments = {}
    for labels, ms in expected:
        moments.setdefault(labels, []).append(ms)
    steady = [sorted(times) for labels, times in moments.items()
              if dict(labels)["__name__"] == "system.memory.usage"]
    assert steady and all(len(times) > 355 for times in steady)
    gaps = [later - earlier for times in steady for earlier, later in zip(times, times[1:])]
    assert max(gaps) <= 6000, "but for the restart"
    print(f"{len(requests)} requests, {len(identities)} series, {len(expected)} samples")
