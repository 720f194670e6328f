#!/usr/bin/env python3
"""What host metrics each second cost: limpet beside the Collector's hostmetrics receiver, in one run.

    LIMPET=build/x86_64-linux-musl/limpet tests/bench/host_cost.py [SECONDS]

CPU is utime and stime of the process over so many seconds (60), its start left out; the points are counted
at the sink, the bytes are those of the requests' bodies and heads. System calls are counted in a run of their
own, since strace slows what it watches.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "integration"))

from endpoint import Endpoint  # noqa: E402
from limpet import Limpet, until  # noqa: E402
from otlp import points  # noqa: E402
from peers import Server, peer, table  # noqa: E402

WITHOUT = ("cpu, load, memory, paging, disk, filesystem, network, system, pressure, thermal, hwmon, power, "
           "flash, clock")
WITH = WITHOUT + ", connections, processes"
CONFIG = """\
receivers:
  hostmetrics:
    collection_interval: 1s
    scrapers: {{cpu: , disk: , filesystem: , load: , memory: , network: {{metrics: {{system.network.connections:
               {{enabled: false}}}}}}, paging: , system: }}
exporters:
  otlp_http: {{endpoint: "{url}"}}
service:
  telemetry: {{metrics: {{level: none}}, logs: {{level: error}}}}
  pipelines:
    metrics: {{receivers: [hostmetrics], exporters: [otlp_http]}}
"""


class Measured:
    """One of the programs while it runs."""

    def __init__(self, name, endpoint, pid):
        self.name, self.endpoint, self.pid = name, endpoint, pid

    def ticks(self):
        stat = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(stat[11]) + int(stat[12])

    def runtime(self):
        """Nanoseconds that its threads have run, which is finer than the ticks."""
        return sum(int((task / "schedstat").read_text().split()[0])
                   for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir())

    def begin(self):
        self.from_ticks, self.from_runtime = self.ticks(), self.runtime()
        self.first, self.began = len(self.endpoint.requests), time.time()

    def end(self):
        ticks, runtime = self.ticks() - self.from_ticks, self.runtime() - self.from_runtime
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        resident = int(re.search(r"VmRSS:.*?(\d+)", status)[1]) / 1024
        requests = self.endpoint.requests[self.first:]
        count = sum(len(points(request.message)) for request in requests)
        sent = sum(len(request.body) for request in requests)
        heads = sum(sum(len(name) + len(value) + 4 for name, value in request.headers.items()) + 30
                    for request in requests)
        return (self.name, f"{count / len(requests):.0f}", count,
                f"{ticks * 1e6 / os.sysconf('SC_CLK_TCK') / count:.1f}", f"{runtime / 1e3 / count:.2f}",
                f"{sent / count:.1f}", f"{(sent + heads) / count:.1f}",
                f"{resident:.1f} MiB")


def system_calls(folder, seconds=10):
    """Of one cycle and its request, without processes and connections; and the most frequent ones."""
    counts = []
    for interval in ("1s", "1h"):
        with Endpoint() as endpoint:
            inside = folder / f"strace-{interval}"
            inside.mkdir()
            out = inside / "counts"
            process = Limpet(inside, endpoint.url, f"host.interval={interval}", f"host.metrics={WITHOUT}",
                             before=("strace", "-f", "-c", "-o", out))
            endpoint.wait(1)
            time.sleep(seconds)
            # strace's child.
            child = subprocess.run(["pgrep", "-P", str(process.process.pid)], capture_output=True, text=True)
            os.kill(int(child.stdout.split()[0]), 15)
            process.process.wait(15)
            found = {words[-1]: int(words[3]) for words in map(str.split, out.read_text().splitlines()[2:-2])}
            counts.append((len(endpoint.requests), found))
    (many, all_calls), (one, of_start) = counts
    calls = {name: (count - of_start.get(name, 0)) / (many - one) for name, count in all_calls.items()}
    return sum(calls.values()), sorted(calls.items(), key=lambda item: -item[1])[:8]


def main(seconds):
    with tempfile.TemporaryDirectory(prefix="limpet-") as name:
        folder = pathlib.Path(name)
        a, b, c = Endpoint(), Endpoint(), Endpoint()
        with a, b, c:
            started, measured = [], []
            for title, endpoint, metrics in (("limpet, without connections and processes", a, WITHOUT),
                                             ("limpet, all groups", b, WITH)):
                inside = folder / str(len(started))
                inside.mkdir()
                process = Limpet(inside, endpoint.url, "host.interval=1s", f"host.metrics={metrics}",
                                 "host.exclude_interfaces=")
                started.append(process)
                measured.append(Measured(title, endpoint, process.process.pid))
            config = folder / "otelcol.yaml"
            config.write_text(CONFIG.format(url=c.url))
            server = Server(folder / "otelcol.log", peer("collector"), f"--config={config}").start()
            measured.append(Measured("Collector 0.149, without connections and processes", c,
                                     server.process.pid))
            try:
                until(lambda: all(len(one.endpoint.requests) > 3 for one in measured), 60, "requests", every=0.2)
                for one in measured:
                    one.begin()
                time.sleep(seconds)
                rows = [one.end() for one in measured]
            finally:
                server.kill()
                for process in started:
                    process.kill()
        print(table(("program", "points a request", "points", "µs CPU a point, ticks", "µs CPU a point, run time",
                     "bytes a point", "with heads", "RSS"), rows))
        total, most = system_calls(folder)
        print(f"system calls of a cycle: {total:.0f}; "
              + ", ".join(f"{name} {count:.1f}" for name, count in most))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60)
