"""The torture of test_logs_torture.py for the OpenTelemetry Collector: a check that the torture itself is
right, and the figures of the comparison. They are held to nothing."""

import os
import signal
import subprocess

import pytest

from logs_torture import Network, Torture
from peers import Cost, peer, report, table

SECONDS = float(os.environ.get("LIMPET_TORTURE_SECONDS", "45"))
SEED = int(os.environ.get("LIMPET_TORTURE_SEED", "1"))
HEADINGS = ("program", "scene", "lines", "lost", "repeated", "out of order in a generation", "foreign", "peak RSS")
ROWS = []

CONFIG = """\
extensions:
  file_storage: {{directory: {folder}/queue, create_directory: true, fsync: true}}
receivers:
  file_log:
    include: ["{folder}/logs/*.log*", "{folder}/logs/*.txt"]
    exclude: ["{folder}/logs/*.gz"]
    start_at: beginning
    storage: file_storage{flush}
exporters:
  otlp_http:
    endpoint: {url}
    timeout: 3s
    retry_on_failure: {{initial_interval: 50ms, max_interval: 500ms, max_elapsed_time: 0}}
    sending_queue: {{storage: file_storage, num_consumers: 1}}
service:
  extensions: [file_storage]
  telemetry: {{metrics: {{level: none}}, logs: {{level: error}}}}
  pipelines:
    logs: {{receivers: [file_log], exporters: [otlp_http]}}
"""


class Collector:
    def __init__(self, program, folder, url, flush):
        self.command = [program, "--config", folder / "otelcol.yaml"]
        (folder / "otelcol.yaml").write_text(CONFIG.format(folder=folder, url=url, flush=flush))
        self.log = open(folder / "log", "ab")
        self.process, self.cost = None, Cost()

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def kill(self):
        self.cost.add(self.process.pid)
        self.process.kill()
        self.process.wait()

    def stop(self, timeout):
        self.cost.add(self.process.pid)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()


@pytest.fixture(scope="module", autouse=True)
def show(request):
    yield
    if ROWS:
        report(request.config, "peer_logs_torture", table(HEADINGS, ROWS))


# By default it sends half a line that has waited for its end for half a second: then it is two records.
WAIT = "\n    force_flush_period: 0s"


@pytest.mark.parametrize("scene,events,flush", [
    ("rotation", (), ""), ("everything", Torture.EVENTS, ""),
    ("everything, force_flush_period 0", Torture.EVENTS, WAIT)])
def test_collector(scene, events, flush, folder):
    network = Network()
    program = Collector(peer("collector"), folder, network.url, flush)
    try:
        torture = Torture(program, network, folder, SEED, SECONDS, events=events or ("nothing",), has_uids=False,
                          lossy=True, settle=15.0)
        if not events:
            torture.event = lambda name: None
        torture.run()
    finally:
        program.kill()
        network.stop()
        print((folder / "log").read_text(errors="replace")[-4000:])
    print(torture.summary())
    faults = torture.account.faults
    ROWS.append(("Collector", scene, torture.written, torture.lost, faults["repeated"],
                 faults["out of order in a generation"], faults["foreign"], f"{program.cost.peak_kib / 1024:.0f} MiB"))
    assert len(torture.account.seen) > torture.written / 2  # The comparison is one.
