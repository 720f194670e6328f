"""HAProxy in front of two Collectors, killed, frozen and started again in turn, for limpet and for what
one would do today: a Collector with a durable queue that sends through HAProxy to the same two.

                             HAProxy
    limpet --- primary ----> :primary ----> site A ----> endpoint A
           \\-- fallback ---> :fallback ---> site B ----> endpoint B
    Collector -------------> :both -------> site A, site B as its backup

All do the same work at the same time: host metrics each second and numbered log lines. A site is a Collector
that answers only when its endpoint has taken the request, so that the endpoint knows all that was received,
in its order. What is measured is printed as a table and left in the build folder's reports/. The Collector's
figures are for comparison: they are held to nothing. limpet's promises are spec.md sections 1 and 5.

LIMPET_FAILOVER=full runs it with limpet's default pauses and with site A gone for two minutes, as the
figures of docs/failover.md were measured; else all of it is shorter.
"""

import os
import re
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field

import pytest

from endpoint import Endpoint
from limpet import GENERATOR, free_port, generating, until
from otlp import points
from peers import HAPROXY, Cost, LineWriter, Server, line, peer, report, table

RATE = 200
FULL = os.environ.get("LIMPET_FAILOVER") == "full"
GONE = 120.0 if FULL else 20.0            # Site A, the first time.
FROZEN = 40.0 if FULL else 16.0
TIMEOUT = 10.0 if FULL else 4.0           # Of every client, for an answer.
FAILBACK = 30.0 if FULL else 3.0          # Up to 16 times as long after relapses.
PAUSE_MAX = 120.0 if FULL else 3.0        # Of a breaker.
BATCH = 2.0                               # What collects a batch, and a second of a busy machine.
RISE = 4.0                                # From the start of a site until HAProxy counts on it.
RETURN_MAX = PAUSE_MAX * 1.5 + TIMEOUT + RISE + BATCH   # Beside the time of quiet.
WAIT_MAX = 25.0                           # Five attempts at [retry]'s pace, where both have just failed.
SHORT = 4.0
BLOWS = 5                                 # To a site in use, or to HAProxy.

SITE = """\
extensions:
  health_check: {{endpoint: "127.0.0.1:{health}"}}
receivers:
  otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}
exporters:
  otlp_http:
    endpoint: {url}
    compression: none
    retry_on_failure: {{enabled: false}}
    sending_queue: {{enabled: false}}
service:
  extensions: [health_check]
  telemetry: {{metrics: {{level: none}}, logs: {{level: error}}}}
  pipelines:
    logs: {{receivers: [otlp], exporters: [otlp_http]}}
    metrics: {{receivers: [otlp], exporters: [otlp_http]}}
"""

# Debian's own time-outs; checks that notice within two seconds; `redispatch` so that a request whose
# server has just gone is tried at the other.
BALANCER = """\
global
  maxconn 200
defaults
  mode http
  timeout connect 5s
  timeout client 50s
  timeout server 50s
  option redispatch 1
  option httpchk GET /
  default-server check inter 1s fall 2 rise 2
listen primary
  bind 127.0.0.1:{primary}
  server a 127.0.0.1:{a} port {a_health}
listen fallback
  bind 127.0.0.1:{fallback}
  server b 127.0.0.1:{b} port {b_health}
listen both
  bind 127.0.0.1:{both}
  server a 127.0.0.1:{a} port {a_health}
  server b 127.0.0.1:{b} port {b_health} backup
"""

COLLECTOR = """\
extensions:
  file_storage: {{directory: {folder}/queue, create_directory: true, fsync: {fsync}}}
receivers:
  file_log:
    include: [{lines}]
    start_at: beginning
    storage: file_storage
    resource: {{service.name: "{name}"}}
  hostmetrics:
    collection_interval: 1s
    scrapers: {{cpu: , load: , memory: , disk: , network: , paging: , system: }}
exporters:
  otlp_http:
    endpoint: {url}
    timeout: {timeout:.0f}s
    retry_on_failure: {{max_elapsed_time: 0}}
    sending_queue: {{storage: file_storage, {queue}}}
service:
  extensions: [file_storage]
  telemetry: {{metrics: {{level: none}}, logs: {{level: error}}}}
  pipelines:
    logs: {{receivers: [file_log], exporters: [otlp_http]}}
    metrics: {{receivers: [hostmetrics], exporters: [otlp_http]}}
"""
VARIANTS = {
    # A durable queue and retries without end, all else by its defaults.
    "as it comes": {"fsync": "false", "queue": "num_consumers: 10"},
    # Everything that speaks for order, durability and large requests.
    "in order, fsync": {
        "fsync": "true",
        "queue": "num_consumers: 1, batch: {flush_timeout: 1s, min_size: 512, max_size: 512}"},
}


class Sites:
    """HAProxy, the two sites and their endpoints."""

    def __init__(self, folder):
        collector = peer("collector")
        if not os.access(HAPROXY, os.X_OK):
            pytest.skip("NOTHING FAILS OVER: there is no HAProxy (tools/setup peer)")
        ports = {name: free_port() for name in
                 ("primary", "fallback", "both", "a", "a_health", "b", "b_health")}
        self.urls = {name: f"http://127.0.0.1:{ports[name]}" for name in ("primary", "fallback", "both")}
        self.endpoints = {"A": Endpoint(), "B": Endpoint()}
        self.servers = {}
        for site in "AB":
            name = site.lower()
            config = folder / f"site-{name}.yaml"
            config.write_text(SITE.format(port=ports[name], health=ports[f"{name}_health"],
                                          url=self.endpoints[site].url))
            self.servers[site] = Server(folder / f"site-{name}.log", collector, "--config", config)
        config = folder / "haproxy.cfg"
        config.write_text(BALANCER.format(**ports))
        self.servers["HAProxy"] = Server(folder / "haproxy.log", HAPROXY, "-db", "-f", config)

    def __enter__(self):
        for each in (*self.endpoints.values(), *self.servers.values()):
            each.start()
        for site in "AB":  # Until HAProxy counts on it.
            url = self.urls["primary" if site == "A" else "fallback"]
            until(lambda: post(f"{url}/v1/logs", b"") == 200, 30, f"site {site}", every=0.1)
        return self

    def __exit__(self, *_):
        for server in self.servers.values():
            server.kill()
            print(f"{server.log.name}:\n{server.log.read_text(errors='replace')[-4000:]}")
        for endpoint in self.endpoints.values():
            endpoint.stop()


def post(url, body):
    """A request of OTLP. Returns the status of the answer, 0 without one."""
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/x-protobuf"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


# What is measured.

@dataclass(repr=False)
class Arrivals:
    """What one program had delivered, in the order of arrival."""

    service: str                                   # The service.name of its lines.
    requests: list = field(default_factory=list)   # (the numbers of its lines, site, when)
    made: dict = field(default_factory=dict)       # Number -> when it was made, where the record says.
    foreign: int = 0                               # Lines with another text than their number's.
    points: set = field(default_factory=set)       # limpet's metrics: all distinct points.
    exports: list = field(default_factory=list)    # (their points, site, when)
    cycles: list = field(default_factory=list)     # (their times, site, when)
    taken: dict = field(default_factory=lambda: {"A": 0, "B": 0})

    def take(self, endpoints):
        """Looks at what has come since the last time."""
        for site, endpoint in endpoints.items():
            came = endpoint.requests[self.taken[site]:]
            self.taken[site] += len(came)
            for request in filter(lambda request: request.complete, came):
                if request.signal == "logs":
                    self.take_lines(site, request)
                elif self.service == "generator":
                    self.take_metrics(site, request)
        self.requests.sort(key=lambda entry: entry[2])
        return self

    def take_lines(self, site, request):
        numbers = []
        for resource in request.message.resource_logs:
            if service_of(resource) != self.service:
                continue
            for record in (record for scope in resource.scope_logs for record in scope.log_records):
                text = record.body.string_value
                number = int(re.match(r"line (\d+) ", text)[1])
                self.foreign += text != line(number)
                self.made.setdefault(number, record.time_unix_nano / 1e9)
                numbers.append(number)
        if numbers:
            self.requests.append((tuple(numbers), site, request.arrived))

    def take_metrics(self, site, request):
        if any(service_of(resource) != "limpet" for resource in request.message.resource_metrics):
            return
        found = points(request.message)
        names = tuple((p.name, p.time, *sorted(p.attributes.items())) for p in found)
        self.points.update(names)
        if found:
            self.exports.append((names, site, request.arrived))
            self.cycles.append((tuple(sorted({p.time for p in found})), site, request.arrived))

    @property
    def first(self):
        """Number -> when it arrived first, at whichever site."""
        found = {}
        for numbers, _, when in self.requests:
            for number in numbers:
                found.setdefault(number, when)
        return found

    @property
    def duplicates(self):
        return sum(len(numbers) for numbers, _, _ in self.requests) - len(self.first)

    @property
    def out_of_order(self):
        """At each site for itself: lines that it saw for the first time, but after a later one."""
        late = 0
        for site in "AB":
            seen, newest = set(), 0
            for number in (n for numbers, at, _ in self.requests if at == site for n in numbers):
                if number not in seen:
                    seen.add(number)
                    late += number < newest
                    newest = max(newest, number)
        return late

    def after(self, site, begin, end=float("inf")):
        """Seconds until the site had lines that none had had before, None: not until the end."""
        first = self.first
        return next((when - begin for numbers, at, when in self.requests
                     if at == site and begin <= when < end and first[numbers[-1]] == when), None)

    def longest_wait(self, begin, end):
        """Of the lines made between the two, from making to arrival."""
        first = self.first
        return max((first[number] - made for number, made in self.made.items()
                    if begin <= made < end), default=0.0)

    @property
    def route(self):
        """The sites one after the other: "ABA" is there and back."""
        sites = [site for _, site, _ in self.requests]
        return "".join(site for site, before in zip(sites, [None, *sites]) if site != before)


def service_of(resource):
    return next((a.value.string_value for a in resource.resource.attributes if a.key == "service.name"), None)


class Moments:
    """When what was done."""

    def __init__(self):
        self.at = {}

    def __call__(self, name):
        self.at[name] = time.time()
        print(f"{time.strftime('%T')} {name}")

    def __getitem__(self, name):
        return self.at[name]


def play(sites, arrived_at, moments):
    """The scene. arrived_at(site): waits until limpet delivers there."""
    a, b, haproxy = (sites.servers[name] for name in ("A", "B", "HAProxy"))
    arrived_at("A", 20)
    time.sleep(SHORT)

    moments("A is killed")
    a.kill()
    time.sleep(GONE)
    moments("A is back")
    a.start()
    arrived_at("A", RETURN_MAX + 16 * FAILBACK)
    time.sleep(SHORT)

    moments("B is killed")  # While nobody needs it.
    b.kill()
    time.sleep(SHORT)
    b.start()
    time.sleep(SHORT)

    moments("HAProxy is killed")
    haproxy.kill()
    time.sleep(SHORT)
    moments("HAProxy is back")
    haproxy.start()
    arrived_at("A", RETURN_MAX + 16 * FAILBACK)
    time.sleep(SHORT)

    moments("A is frozen")
    a.freeze()
    time.sleep(FROZEN)
    moments("A is thawed")
    a.thaw()
    arrived_at("A", RETURN_MAX + 16 * FAILBACK)
    time.sleep(SHORT)

    moments("A is killed again")
    a.kill()
    arrived_at("B", TIMEOUT + 10)
    a.start()
    time.sleep(SHORT)
    moments("B is killed, A just back")
    b.kill()
    arrived_at("A", RETURN_MAX + 16 * FAILBACK)
    b.start()
    time.sleep(SHORT)
    moments("the end")


def seconds(value):
    return "not yet" if value is None else f"{value:.1f} s"


HEADINGS = ("program", "A killed: at B after", "A back: at A after", "A frozen: at B after", "lines",
            "lost", "duplicated", "out of order", "a line waited", "CPU", "peak RSS")


def row(program, arrivals, moments, lines, cost):
    return (program, seconds(arrivals.after("B", moments["A is killed"], moments["A is back"])),
            seconds(arrivals.after("A", moments["A is back"], moments["B is killed"])),
            seconds(arrivals.after("B", moments["A is frozen"], moments["A is thawed"])), lines,
            lines - len(arrivals.first), arrivals.duplicates, arrivals.out_of_order,
            seconds(arrivals.longest_wait(0, moments["the end"])),
            f"{cost.cpu_seconds:.2f} s", f"{cost.peak_kib / 1024:.1f} MiB")


class Comparison:
    """A Collector with a durable queue, fed by a file."""

    def __init__(self, name, variant, folder, url):
        self.name = name
        self.folder = folder / name.replace(" ", "-").replace(",", "")
        self.folder.mkdir()
        self.lines = self.folder / "lines.log"
        config = self.folder / "otelcol.yaml"
        config.write_text(COLLECTOR.format(folder=self.folder, lines=self.lines, url=url, name=name,
                                           timeout=TIMEOUT, **variant))
        self.server = Server(self.folder / "log", peer("collector"), "--config", config)
        self.arrivals = Arrivals(name)
        self.cost = Cost()

    def __enter__(self):
        self.writer = LineWriter(self.lines, RATE)
        self.server.start()
        return self

    def __exit__(self, *_):
        self.writer.stop()
        self.server.kill()
        print(f"{self.name}:\n{self.server.log.read_text(errors='replace')[-2000:]}")

    def finish(self, endpoints):
        """Waits for the rest, up to a minute."""
        lines = self.writer.stop()
        try:
            until(lambda: len(self.arrivals.take(endpoints).first) >= lines, 60, every=0.5)
        except AssertionError:
            pass  # Some are lost, or it is slow: the table says so.
        self.cost.add(self.server.process.pid)
        for number in self.arrivals.made:
            self.arrivals.made[number] = self.writer.started + (number - 1) / RATE
        return lines


def test_failover(limpet, folder, request):
    moments, cost, arrivals = Moments(), Cost(), Arrivals("generator")
    with Sites(folder) as sites, \
            Comparison("as it comes", VARIANTS["as it comes"], folder, sites.urls["both"]) as loose, \
            Comparison("in order, fsync", VARIANTS["in order, fsync"], folder, sites.urls["both"]) as strict:
        settings = [f"destination.fallback.url={sites.urls['fallback']}",
                    "destination.fallback.priority=2", "host.interval=1s"]
        if not FULL:
            settings += [f"destination.primary.timeout={TIMEOUT:.0f}s",
                         f"destination.fallback.timeout={TIMEOUT:.0f}s",
                         f"breaker.failback={FAILBACK:.0f}s", "breaker.open=1s",
                         f"breaker.open_max={PAUSE_MAX:.0f}s"]
        process = limpet(sites.urls["primary"], *settings, program=GENERATOR, env=generating(RATE))

        def arrived_at(site, timeout):
            since = time.time()
            until(lambda: arrivals.take(sites.endpoints).after(site, since), timeout, f"limpet at {site}",
                  every=0.1)

        play(sites, arrived_at, moments)
        cost.add(process.process.pid)
        assert process.stop(timeout=40) == 0
        rows = []
        for each in (loose, strict):
            lines = each.finish(sites.endpoints)
            rows.append(row(f"Collector, {each.name}", each.arrivals, moments, lines, each.cost))
        arrivals.take(sites.endpoints)

    lines = max(arrivals.first)
    report(request.config, "peer_failover", table(
        HEADINGS, [row("limpet", arrivals, moments, lines, cost), *rows]))
    print(f"limpet's route: {arrivals.route}")
    marks = list(moments.at.items())
    for (name, begin), (_, end) in zip(marks, marks[1:]):
        print(f"{name}: a line waited {arrivals.longest_wait(begin, end):.1f} s")
    for each in (loose, strict):
        assert each.arrivals.foreign == 0 and len(each.arrivals.first) > RATE * GONE  # It is a comparison.

    # Complete, and at each site in order, metrics as well as lines.
    account = {line["signal"]: line for line in process.lines("ledger")}
    for signal in ("metrics", "logs"):
        assert account[signal]["delivered"] == account[signal]["collected"]
    assert arrivals.foreign == 0
    assert arrivals.first.keys() == set(range(1, lines + 1))
    assert lines == int(account["logs"]["collected"])
    assert len(arrivals.points) == int(account["metrics"]["collected"])
    assert arrivals.out_of_order == 0
    for site in "AB":
        times = [t for cycle, at, _ in arrivals.cycles if at == site for t in cycle]
        assert times == sorted(times)
    # Only an unknown outcome is sent again, as the same batch: one at most for each blow.
    # (A cycle may lie in two batches: what is held closes when it is full.)
    for entries in (arrivals.requests, arrivals.exports):
        batches = {}
        for items, _, _ in entries:
            for item in items:
                assert batches.setdefault(item, items) == items
        assert len(entries) - len(set(batches.values())) <= BLOWS

    assert arrivals.after("B", moments["A is killed"]) <= TIMEOUT
    # Progress is looked at four times in a time-out.
    assert arrivals.after("B", moments["A is frozen"]) <= TIMEOUT * 1.25 + BATCH
    assert FAILBACK <= arrivals.after("A", moments["A is back"]) <= RETURN_MAX + FAILBACK
    assert FAILBACK <= arrivals.after("A", moments["A is thawed"]) <= RETURN_MAX + 16 * FAILBACK
    assert arrivals.longest_wait(moments["B is killed"], moments["HAProxy is killed"] - BATCH) <= BATCH
    assert arrivals.longest_wait(0, moments["HAProxy is killed"] - BATCH) <= TIMEOUT + BATCH
    assert arrivals.longest_wait(0, moments["the end"]) <= WAIT_MAX
    # There and back with each blow to the one in use, and nothing in between.
    assert len(arrivals.route) <= 1 + 2 * BLOWS
