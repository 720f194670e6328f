"""The same outage and the same kill for limpet and for the OpenTelemetry Collector.

The endpoint is up for 10 s, down for 30 s, and up again; in the middle of the outage the program is
killed with -9 and started again. 200 lines of 200 bytes come each second, the same for all of them. The
Collector reads them out of a file, so it can read again what it had not kept; limpet's come out of
limpet-generator and cannot be read again, so it has what its spool kept and nothing else.

What is measured is printed as a table and left in the build folder's reports/. The Collector's figures
are for comparison: they are held to nothing. limpet's promises are spec.md sections 1 and 4.
"""

import os
import re
import subprocess
import time
from dataclasses import dataclass, field

import pytest

from endpoint import Endpoint
from limpet import GENERATOR, call, free_port, generating, until
from peers import LINE_BYTES, Cost, LineWriter, line, peer, report, table

RATE = 200
UP, DOWN, CATCH_UP_MAX = 10.0, 30.0, 60.0
SECOND_LIFE = 1_000_000        # The number at which limpet-generator goes on after the kill.

COMMIT_INTERVAL = 5.0          # limpet's default, at risk by the contract; and the commit that runs.
COMMIT_MAX = 1.0


# What is measured.

@dataclass
class Arrivals:
    """The records that the endpoint accepted, in the order of their arrival."""

    numbers: list = field(default_factory=list)
    first: dict = field(default_factory=dict)     # Number -> when it arrived first.
    made: dict = field(default_factory=dict)      # Number -> when it was made, where the record says.
    keys: dict = field(default_factory=dict)      # Number -> the keys under which it came.
    wire_bytes: int = 0
    foreign: int = 0                              # Records with another text than their number's.
    taken: int = 0                                # Requests looked at so far.

    def take(self, requests):
        for request in requests[self.taken:]:
            self.taken += 1
            if request.signal != "logs" or not request.complete:
                continue
            self.wire_bytes += len(request.body)
            for resource in request.message.resource_logs:
                for scope in resource.scope_logs:
                    for record in scope.log_records:
                        self.add(record, request)
        return self

    def add(self, record, request):
        text = record.body.string_value
        match = re.match(r"line (\d+) ", text)
        if match is None:
            return  # An event of limpet's own.
        number = int(match[1])
        self.foreign += text != line(number)
        self.numbers.append(number)
        self.first.setdefault(number, request.arrived)
        self.made.setdefault(number, record.time_unix_nano / 1e9)
        self.keys.setdefault(number, set()).add(request.headers.get("idempotency-key"))

    @property
    def duplicates(self):
        return len(self.numbers) - len(self.first)

    @property
    def out_of_order(self):
        """First arrivals that came after a later line."""
        newest = late = 0
        for number in self.first:  # In the order in which they were put in.
            late += number < newest
            newest = max(newest, number)
        return late


HEADINGS = ("program", "lines", "lost", "duplicated", "out of order", "caught up after", "written",
            "per log byte", "per byte sent", "wchar", "CPU", "peak RSS")
ROWS = []


def add_row(program, lines, lost, arrivals, cost, caught_up):
    log_bytes = lines * LINE_BYTES
    ROWS.append((program, lines, lost, arrivals.duplicates, arrivals.out_of_order,
                 f"{caught_up:.1f} s" if caught_up is not None else f"not in {CATCH_UP_MAX:.0f} s",
                 f"{cost.write_bytes / 1024:.0f} KiB", f"{cost.write_bytes / log_bytes:.2f}",
                 f"{cost.write_bytes / max(arrivals.wire_bytes, 1):.2f}",
                 f"{cost.wchar / 1024:.0f} KiB", f"{cost.cpu_seconds:.2f} s",
                 f"{cost.peak_kib / 1024:.1f} MiB"))


@pytest.fixture(scope="module", autouse=True)
def show(request):
    yield
    if ROWS:
        report(request.config, "peer_outage", table(HEADINGS, ROWS))


def caught_up_after(arrivals, backlog, back):
    """Seconds from the end of the outage until all that was made before it was there. None: it never
    was, apart from what is lost for good."""
    late = [arrivals.first[number] for number in backlog if number in arrivals.first]
    return max(max(late) - back, 0.0) if late and max(late) <= back + CATCH_UP_MAX else None


class Outage:
    """The endpoint's side: up, down, up."""

    def __init__(self):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.before = self.after = None
        self.back = None                          # When it came up again.

    def __enter__(self):
        self.before = Endpoint(port=self.port).start()
        return self

    def __exit__(self, *_):
        for endpoint in (self.before, self.after):
            if endpoint is not None:
                endpoint.stop()

    def go_down(self):
        self.before.stop()

    def come_back(self):
        self.after = Endpoint(port=self.port).start()
        self.back = time.time()

    @property
    def requests(self):
        return self.before.requests + (self.after.requests if self.after else [])

    def run(self, kill, restart):
        """The whole scene, from the first request on."""
        self.before.wait(1, timeout=20)
        time.sleep(UP)
        self.go_down()
        time.sleep(DOWN / 2)
        kill()
        restart()
        time.sleep(DOWN / 2)
        self.come_back()


# The Collector.

COLLECTOR_CONFIG = """\
extensions:
  file_storage: {{directory: {folder}/queue, create_directory: true, fsync: {fsync}}}
receivers:
  file_log: {{include: [{folder}/lines.log], start_at: beginning, storage: file_storage}}
exporters:
  otlp_http:
    endpoint: {url}
    retry_on_failure: {{max_elapsed_time: 0}}
    sending_queue: {{storage: file_storage, {queue}}}
service:
  extensions: [file_storage]
  telemetry: {{metrics: {{level: none}}, logs: {{level: error}}}}
  pipelines:
    logs: {{receivers: [file_log], exporters: [otlp_http]}}
"""
COLLECTOR = {
    # A durable queue and retries without end, all else by its defaults.
    "as it comes": {"fsync": "false", "queue": "num_consumers: 10"},
    # Everything that speaks for order, durability and large requests.
    "in order, fsync": {
        "fsync": "true",
        "queue": "num_consumers: 1, batch: {flush_timeout: 1s, min_size: 512, max_size: 512}"},
}


@pytest.fixture(scope="module")
def collector():
    return peer("collector")


@pytest.mark.parametrize("variant", COLLECTOR)
def test_collector(variant, collector, folder):
    cost, process = Cost(), None
    with Outage() as outage, open(folder / "log", "wb") as log:
        config = folder / "otelcol.yaml"
        config.write_text(COLLECTOR_CONFIG.format(folder=folder, url=outage.url, **COLLECTOR[variant]))

        def start():
            nonlocal process
            process = subprocess.Popen([collector, "--config", config], stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=log)

        def kill():
            cost.add(process.pid)
            process.kill()
            process.wait()

        writer = LineWriter(folder / "lines.log", RATE)
        try:
            start()
            outage.run(kill, start)
            time.sleep(UP)
            lines = writer.stop()
            arrivals = Arrivals()
            try:
                until(lambda: len(arrivals.take(outage.requests).first) >= lines,
                      outage.back + CATCH_UP_MAX - time.time(), every=0.2)
            except AssertionError:
                pass  # Some are lost, or it is slow: the table says so.
            cost.add(process.pid)
        finally:
            writer.stop()
            process.kill()
            process.wait()
            print((folder / "log").read_text(errors="replace"))
    arrivals.take(outage.requests)
    backlog = range(1, int((outage.back - writer.started) * RATE) + 1)
    add_row(f"Collector, {variant}", lines, lines - len(arrivals.first), arrivals, cost,
            caught_up_after(arrivals, backlog, outage.back))
    assert arrivals.foreign == 0 and len(arrivals.first) > RATE * UP  # The comparison is one.


# limpet.

def has_spool(status):
    return status["spool"]["state"] in ("calm", "spilling", "draining")


def is_built(*settings):
    """Whether this build has what the settings ask for."""
    options = [part for s in (*settings, "destination.primary.url=http://x") for part in ("--set", s)]
    return "not available in this build" not in call("check", "-c", os.devnull, *options).stderr


def newest(arrivals):
    return arrivals.made[max(arrivals.made)] if arrivals.made else 0.0


@pytest.mark.parametrize("durability", ["on_demand", "always"])
def test_limpet(durability, limpet, folder):
    setting = f"spool.durability={durability}"
    if not is_built(setting):
        pytest.skip(f"NOT MEASURED: this build has no {setting}")
    cost, process, first_life, spooled = Cost(), None, 0, False
    with Outage() as outage:
        def start(first=1):
            nonlocal process
            process = limpet(outage.url, setting, host=False, program=GENERATOR,
                             env=generating(RATE, first))

        def kill():
            nonlocal first_life, spooled
            status = process.status()
            cost.add(process.process.pid)
            process.kill()
            first_life, spooled = status["ledger"]["logs"]["collected"], has_spool(status)

        start()
        outage.run(kill, lambda: start(SECOND_LIFE))
        time.sleep(UP)
        arrivals = Arrivals()
        try:
            until(lambda: newest(arrivals.take(outage.requests)) > time.time() - 3.0,
                  outage.back + CATCH_UP_MAX - time.time(), every=0.2)
        except AssertionError:
            pass  # The table says so, and the assertions below.
        cost.add(process.process.pid)
        assert process.stop(timeout=40) == 0  # Delivers what is still held.
    arrivals.take(outage.requests)

    one = {number for number in arrivals.first if number < SECOND_LIFE}
    two = set(arrivals.first) - one
    first_life = max(first_life, max(one, default=0))
    second_life = max(two, default=SECOND_LIFE - 1) - SECOND_LIFE + 1
    lost_one = set(range(1, first_life + 1)) - one
    lost_two = set(range(SECOND_LIFE, SECOND_LIFE + second_life)) - two
    backlog = [number for number, made in arrivals.made.items() if made < outage.back]
    caught_up = caught_up_after(arrivals, backlog, outage.back)
    add_row(f"limpet, {durability}" + ("" if spooled else " (NO SPOOL)"), first_life + second_life,
            len(lost_one) + len(lost_two), arrivals, cost, caught_up)

    assert arrivals.foreign == 0
    assert arrivals.out_of_order == 0
    # An unknown outcome is sent again, but the same bytes under the same key.
    assert all(len(keys) == 1 for keys in arrivals.keys.values())
    assert not lost_two and caught_up is not None
    if not spooled:
        pytest.skip("NOTHING IS PROMISED OVER A KILL: this build has no spool")
    # At risk is what came last before the kill: in `always` the open batch, which is closed as soon as
    # the worker is free, and the commit that runs.
    at_risk = COMMIT_MAX + (COMMIT_INTERVAL if durability == "on_demand" else 0.0)
    assert len(lost_one) <= at_risk * RATE
    assert lost_one == set(range(first_life - len(lost_one) + 1, first_life + 1))
