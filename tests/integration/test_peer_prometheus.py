"""Prometheus, the judge of order, takes host metrics with one bad sample among them.

Prometheus rolls a whole request back when one of its samples is out of order. limpet reaches it through
endpoint.py, which hands every request on and, just before one of them, writes one of its series a
millisecond into the future: that sample alone is then too late. All others have to be there in the end,
each once, and the bad one is a dead letter.
"""

import json
import math
import re
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter

import pytest

from endpoint import Answer, Endpoint, message_type
from limpet import FAST, free_port, until
from otlp import points
from peers import Server, peer, report, table

OTLP = "/api/v1/otlp"
BAD = "system.memory.linux.available"     # A metric of one series.


class Prometheus:
    """The server with its defaults: it refuses what is out of order."""

    def __init__(self, folder):
        self.url = f"http://127.0.0.1:{free_port()}"
        config = folder / "prometheus.yml"
        config.write_text("global: {}\n")
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

    def samples(self, query):
        """All samples of the last hour: a list of (labels, [ms, …]). target_info is not one of ours."""
        status, body, _ = self.get("/api/v1/query?" + urllib.parse.urlencode({"query": f"{query}[1h]"}))
        assert status == 200, body
        return [(series["metric"], [round(float(time) * 1000) for time, _ in series["values"]])
                for series in json.loads(body)["data"]["result"]]


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
