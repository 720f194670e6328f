"""OpenTelemetry's own SDKs and Collector as clients of the real program, the Collector as its destination.

The SDKs' programs (tests/peers/otlp_client.*) say of each request that they made whether it ended well. What
did is at the destination, item for item and field for field, once, while limpet is full and asks them to
wait, and while it goes away and comes back.
"""

import base64
import os
import signal as signals
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter

import pytest

from endpoint import Endpoint, message_type
from limpet import FAST, SOURCE, free_port, until
from peers import Server, peer

COLLECTOR = """\
extensions:
  health_check: {{endpoint: "127.0.0.1:{health}"}}
receivers:
  otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}
exporters:
  otlp_http: {{endpoint: "{url}", encoding: {encoding}, compression: {compression}}}
service:
  extensions: [health_check]
  telemetry: {{metrics: {{level: none}}, logs: {{level: error}}}}
  pipelines:
    logs: {{receivers: [otlp], exporters: [otlp_http]}}
    metrics: {{receivers: [otlp], exporters: [otlp_http]}}
    traces: {{receivers: [otlp], exporters: [otlp_http]}}
"""

SIGNALS = ("logs", "traces", "metrics")
CLIENTS = {
    "python": ("python-sdk", "PYTHONPATH",
               lambda: [sys.executable, "-B", SOURCE / "tests/peers/otlp_client.py"]),
    "js": ("js-sdk", "NODE_PATH", lambda: ["node", SOURCE / "tests/peers/otlp_client.cjs"]),
}
EVERY = [("python", "proto", "gzip"), ("python", "proto", "none"),
         ("js", "proto", "gzip"), ("js", "proto", "none"),
         ("js", "json", "gzip"), ("js", "json", "none")]


def items(message):
    """Each item of a request with all that is said about it, as bytes."""
    for resources in message.DESCRIPTOR.fields:
        for resource in getattr(message, resources.name):
            for scope in getattr(resource, resources.message_type.fields[1].name):
                about = (resource.resource, resource.schema_url, scope.scope, scope.schema_url)
                for item in getattr(scope, scope.DESCRIPTOR.fields[1].name):
                    for part in points(item) if resources.name == "resource_metrics" else [item]:
                        yield tuple(one if isinstance(one, str) else one.SerializeToString(deterministic=True)
                                    for one in (*about, part))


def points(metric):
    """The metric once for each of its points, with that point alone."""
    kind = metric.WhichOneof("data")
    for point in getattr(metric, kind).data_points:
        one = type(metric)()
        one.CopyFrom(metric)
        del getattr(one, kind).data_points[:]
        getattr(one, kind).data_points.append(point)
        yield one


class Sdk:
    """One run of a client."""

    def __init__(self, folder, client, url, encoding="proto", compression="gzip", number=300, seconds=2.0, size=20):
        name, variable, command = CLIENTS[client]
        self.dump, self.log = folder / f"{client}.dump", folder / f"{client}.log"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                list(map(str, [*command(), url, encoding, compression, number, seconds, size, self.dump])),
                env=environment | {variable: peer(name)}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        print(self.log.read_text(errors="replace")[-5000:])

    def ended_well(self):
        """How many requests so far."""
        return self.dump.read_text().count(" ok ") if self.dump.exists() else 0

    def end(self, timeout=60):
        """Waits for its end. Returns (what ended well, what did not): {signal: Counter of items}."""
        assert self.process.wait(timeout) == 0, self.log.read_text(errors="replace")
        well, badly = ({signal: Counter() for signal in SIGNALS} for _ in range(2))
        for line in self.dump.read_text().splitlines():
            signal, outcome, text = line.split()
            request = message_type(signal).FromString(base64.b64decode(text))
            (well if outcome == "ok" else badly)[signal].update(items(request))
        return well, badly


def arrived(endpoint):
    """{signal: Counter of items} of what the endpoint has accepted."""
    found = {signal: Counter() for signal in SIGNALS}
    for request in endpoint.requests:
        if request.answer.status == 200 and request.complete:
            found[request.signal].update(items(request.message))
    return found


def receiving(limpet, url, port, *settings):
    """limpet with its second of `batch_delay`: in that time a killed one would lose what it has just taken."""
    return limpet(url, f"receive.otlp.listen=127.0.0.1:{port}", *FAST, *settings, host=False)


def settled(process):
    """Everything that came in has gone out, and nothing else became of it."""
    status = process.wait_for(lambda status: all(one["held"] == 0 for one in status["ledger"].values()), 30)
    for account in status["ledger"].values():
        assert account["collected"] == account["delivered"], account
    return {signal: account["collected"] for signal, account in status["ledger"].items()}


def post(port, signal="logs", message=None):
    """The answer to a request of one's own: (status, headers)."""
    if message is None:
        message = message_type(signal)()
    try:
        with urllib.request.urlopen(urllib.request.Request(
                f"http://127.0.0.1:{port}/v1/{signal}", message.SerializeToString(),
                {"Content-Type": "application/x-protobuf"}), timeout=10) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.headers


@pytest.mark.parametrize("client, encoding, compression", EVERY)
def test_an_sdk_is_understood(client, encoding, compression, folder, endpoint, limpet):
    port = free_port()
    process = receiving(limpet, endpoint.url, port)
    with Sdk(folder, client, f"http://127.0.0.1:{port}", encoding, compression) as sdk:
        well, badly = sdk.end()
    assert not any(badly.values())
    assert len(well["logs"]) == len(well["traces"]) == 300 and len(well["metrics"]) > 10
    counts = settled(process)
    assert arrived(endpoint) == well
    assert counts == {signal: sum(one.values()) for signal, one in well.items()}


@pytest.mark.parametrize("client, encoding", [("python", "proto"), ("js", "json")])
def test_an_sdk_waits_while_limpet_is_full(client, encoding, folder, limpet):
    """Nobody takes anything and there is no flash: memory fills, 429 is said, the SDK's own queue takes over.
    Then a destination appears."""
    port, out = free_port(), free_port()
    process = receiving(limpet, f"http://127.0.0.1:{out}", port, "spool.durability=never", "agent.memory=2600KiB",
                        "queue.batch_delay=200ms")
    filler = message_type("logs")()
    record = filler.resource_logs.add().scope_logs.add().log_records.add()
    sent = 0

    def full(size):
        nonlocal sent
        record.body.string_value = os.urandom(size // 2).hex()
        status, headers = post(port, message=filler)
        sent += status == 200
        assert status in (200, 429), status
        return status == 429 and headers["Retry-After"]
    refused = time.monotonic()
    while time.monotonic() < refused + 1:  # A batch that is closed makes room for another.
        for size in 40_000, 4_000, 400:
            while not full(size):
                refused = time.monotonic()
                assert sent < 10_000
        time.sleep(0.1)
    with Sdk(folder, client, f"http://127.0.0.1:{port}", encoding, number=400, seconds=4, size=100) as sdk:
        until(sdk.dump.exists, 30, "the SDK's start")
        time.sleep(2)
        assert "logs ok" not in sdk.dump.read_text(), "it was not full"
        with Endpoint(port=out) as endpoint:
            well, badly = sdk.end()
            counts = settled(process)
            found = arrived(endpoint)
    assert sum(map(len, well.values())) > 500
    held_to(well, badly, found, extra={"logs": sent})
    assert counts == {signal: sum(one.values()) for signal, one in found.items()}


def held_to(well, badly, found, extra=None):
    """What ended well is there, once; what is there was sent, and what ended badly at most as often as that."""
    for signal in SIGNALS:
        missing = well[signal] - found[signal]
        assert not missing, f"{sum(missing.values())} of {signal} were answered with 200 and are not there"
        # A request whose answer was lost may be there, once for each time it was sent.
        more = found[signal] - well[signal]
        unknown = sum(count for item, count in more.items()
                      if item not in badly[signal] and item not in well[signal])
        assert unknown == (extra or {}).get(signal, 0), signal


@pytest.mark.parametrize("client, encoding, how", [
    ("python", "proto", "TERM"), ("js", "json", "TERM"), ("js", "proto", "KILL"), ("python", "proto", "KILL")])
def test_an_sdk_waits_while_limpet_is_away(client, encoding, how, folder, endpoint, limpet):
    """TERM: what is queued is put into the spool. KILL, with durability = always: it is there already."""
    port = free_port()
    settings = ["spool.durability=always"] if how == "KILL" else []
    process = receiving(limpet, endpoint.url, port, *settings)
    with Sdk(folder, client, f"http://127.0.0.1:{port}", encoding, number=600, seconds=5) as sdk:
        for _ in range(2):
            before = sdk.ended_well()
            until(lambda: sdk.ended_well() > before + 2, 30, "requests that are answered with 200", every=0.01)
            process.signal(getattr(signals, f"SIG{how}"))
            process.process.wait(15)
            time.sleep(0.5)
            process = receiving(limpet, endpoint.url, port, *settings)
        well, badly = sdk.end()
    process.wait_for(lambda status: all(one["held"] == 0 for one in status["ledger"].values()), 30)
    found = arrived(endpoint)
    lost_notices = sum(b"limpet.data_lost" in item[-1] for item in found["logs"])
    held_to(well, badly, found, extra={"logs": lost_notices})
    assert sum(map(len, well.values())) > 1000


class Collector:
    """otlp in, otlphttp out, with its own queue and retries."""

    def __init__(self, folder, name, url, encoding="proto", compression="gzip"):
        self.port, self.health = free_port(), free_port()
        config = folder / f"{name}.yaml"
        config.write_text(COLLECTOR.format(port=self.port, health=self.health, url=url, encoding=encoding,
                                           compression=compression))
        self.server = Server(folder / f"{name}.log", peer("collector"), f"--config={config}")
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        self.server.start()
        try:
            until(self.ready, 30, "the Collector", every=0.1)
        except AssertionError:
            self.__exit__()
            raise
        return self

    def ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health}/", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def __exit__(self, *_):
        self.server.kill()
        print(self.server.log.read_text(errors="replace")[-3000:])


@pytest.mark.parametrize("encoding, compression", [("proto", "gzip"), ("json", "gzip"), ("json", "none")])
def test_the_collector_is_client_and_destination(encoding, compression, folder, endpoint, limpet):
    """The SDK for Python, a Collector, limpet, another Collector, the endpoint."""
    port = free_port()
    with Collector(folder, "last", endpoint.url) as last:
        process = receiving(limpet, last.url, port)
        with Collector(folder, "first", f"http://127.0.0.1:{port}", encoding, compression) as first:
            with Sdk(folder, "python", first.url, number=300, seconds=1) as sdk:
                well, badly = sdk.end()
            assert not any(badly.values())
            # Each Collector answers before it hands on.
            until(lambda: sum(map(Counter.total, arrived(endpoint).values())) >= sum(map(Counter.total, well.values())),
                  30, "all that was sent", every=0.2)
            settled(process)
    assert arrived(endpoint) == well
