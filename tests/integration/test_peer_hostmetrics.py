"""The same host at the same time by others: the Collector's hostmetrics receiver, whose names, units,
attributes and values `semconv = collector` has, and psutil for the values of the conventions 1.44.

limpet measures more often than its peer, so that a value of the peer lies between two of limpet's: a counter
exactly, but for rounding; what goes up and down within the range that limpet saw, and some.
"""

import importlib
import subprocess
import sys
import time

import pytest

from endpoint import Endpoint
from limpet import ALL_GROUPS, free_port, until
from otlp import attributes, points_of
from peers import Server, peer, report, table

SECONDS = 12
SETTINGS = ("host.interval=250ms", f"host.metrics={ALL_GROUPS}", "host.exclude_interfaces=",
            "host.exclude_filesystems=tmpfs, proc, sysfs, overlay, devtmpfs, squashfs")

# With what the receiver has off by default, so that these are compared, too.
CONFIG = """\
receivers:
  hostmetrics:
    collection_interval: 1s
    initial_delay: 1s
    scrapers:
      cpu: {{metrics: {{{cpu}}}}}
      disk: {{exclude: {{match_type: regexp, devices: ["^(loop|ram|zram)"]}}}}
      filesystem: {{metrics: {{{filesystem}}},
                    exclude_fs_types: {{match_type: strict, fs_types: [tmpfs, proc, sysfs, overlay, devtmpfs,
                                                                      squashfs]}}}}
      load:
      memory: {{metrics: {{{memory}}}}}
      network:
      paging: {{metrics: {{{paging}}}}}
      processes:
      system:
      process: {{include: {{names: [otelcol], match_type: strict}}, mute_process_all_errors: true,
                 metrics: {{{process}}}}}
exporters:
  otlp_http: {{endpoint: "{url}"}}
service:
  telemetry: {{metrics: {{level: none}}, logs: {{level: error}}}}
  pipelines:
    metrics: {{receivers: [hostmetrics], exporters: [otlp_http]}}
"""
OFF_BY_DEFAULT = {
    "cpu": ("system.cpu.logical.count", "system.cpu.physical.count"),
    "filesystem": ("system.filesystem.utilization",),
    "memory": ("system.memory.utilization", "system.linux.memory.available", "system.memory.linux.shared"),
    "paging": ("system.paging.utilization",),
    "process": ("process.context_switches", "process.disk.operations", "process.open_file_descriptors",
                "process.paging.faults", "process.threads", "process.uptime"),
}

# What the two may differ in (docs/host-comparison.md says why): series that only one of them has, by
# metric and the values of its attributes; and metrics whose values are made in another way.
ONLY_RECEIVER = {
    "system.network.connections": {"DELETE", "FIN_WAIT_1", "FIN_WAIT_2"},
    "system.processes.count": {"blocked", "idle", "unknown"},
    "process.cpu.time": {"wait"},
}
ONLY_LIMPET = {
    "system.network.connections": {"FIN_WAIT1", "FIN_WAIT2"},
    "system.processes.count": {"stopped", "zombies"},
}
OTHER_VALUES = {"system.processes.count", "process.disk.io", "process.context_switches",
                "system.paging.faults", "system.paging.operations"}
# Here today, gone tomorrow: so many may be seen by one of them only.
FLEETING = {"system.network.connections": 5, "process.open_file_descriptors": 3,
            "system.disk.pending_operations": 100}
# Not of the receiver at all, or metrics of limpet alone.
STRANGERS = ("hw.", "system.linux.pressure.", "system.linux.clock.", "system.disk.limit",
             "system.filesystem.limit", "system.process.limit")


class Series:
    """A series of one of them: what is said of it, and its points."""

    def __init__(self, point):
        self.shape = (point.unit, point.kind, point.number)
        self.name = point.name
        self.attributes = point.attributes
        self.points = []           # (ns, value)


def read(endpoint, pid):
    """All that has arrived: series by metric and attributes. Of processes only that one."""
    found = {}
    for request in endpoint.requests:
        for resource in request.message.resource_metrics:
            of_resource = attributes(resource.resource.attributes)
            if of_resource.get("process.pid", pid) != pid:
                continue
            for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                for point in points_of(metric):
                    key = (point.name, frozenset(point.attributes.items()))
                    found.setdefault(key, Series(point)).points.append((point.time, point.value))
    return found


def differs(ours, theirs):
    """By how much the receiver's values are off what limpet saw around them: 0 is best."""
    counter = ours.shape[1] == "counter"
    values = [value for _, value in ours.points]
    worst = 0.0
    for at, value in theirs.points:
        before = [one for time, one in ours.points if time <= at]
        after = [one for time, one in ours.points if time >= at]
        if not before or not after:
            continue
        # Moments are those of a whole cycle, which takes some time.
        low, high = ((before[-2:] or before)[0], (after[:2] or after)[-1]) if counter else (min(values), max(values))
        off = max(low - value, value - high, 0)
        if off > FLEETING.get(ours.name, 0):
            worst = max(worst, off / max(abs(value), 1e-9))
    return worst


def tolerance(name):
    if name == "system.uptime":
        return 0.02                # The receiver has whole seconds.
    if name in ("process.memory.usage", "process.memory.virtual", "process.threads", "process.uptime"):
        return 0.2
    return 0.02


@pytest.fixture(scope="module")
def measured(request, tmp_path_factory):
    """limpet and the receiver side by side."""
    from limpet import Limpet
    folder = tmp_path_factory.mktemp("hostmetrics")
    with Endpoint() as for_limpet, Endpoint() as for_collector:
        metrics = {scraper: ", ".join(f"{name}: {{enabled: true}}" for name in names)
                   for scraper, names in OFF_BY_DEFAULT.items()}
        config = folder / "otelcol.yaml"
        config.write_text(CONFIG.format(url=for_collector.url, **metrics))
        server = Server(folder / "otelcol.log", peer("collector"), f"--config={config}").start()
        process = Limpet(folder, for_limpet.url, *SETTINGS, "host.semconv=collector", "host.process=otelcol")
        try:
            until(lambda: len(for_collector.requests) >= SECONDS, 60, "the receiver", every=0.2)
            time.sleep(1)
            process.stop()
            # What this kernel does not have, limpet says.
            absent = tuple(f"system.{line['group']}." for line in process.lines(
                "a group of host metrics is not available on this kernel"))
        finally:
            process.kill()
            server.kill()
            print(server.log.read_text(errors="replace"))
        return read(for_limpet, server.process.pid), {
            key: series for key, series in read(for_collector, server.process.pid).items()
            if not key[0].startswith(absent)}


def value_of(key):
    return {str(value) for _, value in key[1]}


def test_names_and_values_of_the_receiver(measured, request):
    ours, theirs = measured
    names = sorted({name for name, _ in ours} | {name for name, _ in theirs})
    rows, wrong = [], []
    for name in names:
        mine = {key: series for key, series in ours.items() if key[0] == name}
        others = {key: series for key, series in theirs.items() if key[0] == name}
        both = mine.keys() & others.keys()
        shapes = {series.shape for series in (*mine.values(), *others.values())}
        keys = {frozenset(series.attributes) for series in (*mine.values(), *others.values())}
        worst = max((differs(mine[key], others[key]) for key in both), default=0)
        rows.append((f"`{name}`", " ".join(sorted(" ".join(shape) for shape in shapes)),
                     ", ".join(f"`{key}`" for key in sorted(next(iter(keys)))), len(both),
                     only(others.keys() - both), only(mine.keys() - both),
                     f"{100 * worst:.2f} %" if both else ""))
        if not others and name.startswith(STRANGERS):
            continue
        if len(shapes) != 1 or len(keys) != 1:
            wrong.append((name, shapes, keys))
        for key in others.keys() - both:
            if not value_of(key) & ONLY_RECEIVER.get(name, set()):
                wrong.append(("only the receiver", key))
        for key in mine.keys() - both:
            if not value_of(key) & ONLY_LIMPET.get(name, set()):
                wrong.append(("only limpet", key))
        if worst > tolerance(name) and name not in OTHER_VALUES:
            wrong.append((name, "values", worst, [(dict(key[1]), mine[key].points[-3:], others[key].points[-1:])
                                                 for key in both if differs(mine[key], others[key]) == worst]))
    report(request.config, "peer_hostmetrics",
           table(("metric", "unit, kind, number", "attributes", "series of both", "of the receiver alone",
                  "of limpet alone", "apart by"), rows))
    assert not wrong, "\n".join(map(str, wrong))
    assert len(names) > 30


def only(keys):
    """The values that tell these series from the others, for the table."""
    if not keys:
        return ""
    if not any(attributes_ for _, attributes_ in keys):
        return "yes"
    return ", ".join(sorted({" ".join(sorted(str(value) for _, value in key[1])) for key in keys})[:6])


def load_psutil():
    folder = peer("psutil")
    sys.path.insert(0, folder)
    try:
        return importlib.import_module("psutil")
    finally:
        sys.path.remove(folder)


def as_psutil_says(psutil):
    """(metric, attributes): value, in the names of the conventions."""
    cpu, memory, swap = psutil.cpu_times(), psutil.virtual_memory(), psutil.swap_memory()
    found = {
        ("system.cpu.logical.count",): psutil.cpu_count(),
        ("system.uptime",): time.time() - psutil.boot_time(),
        ("system.memory.linux.available",): memory.available,
        ("system.memory.linux.shared",): memory.shared,
    }
    for mode, seconds in (("user", cpu.user), ("system", cpu.system), ("nice", cpu.nice), ("idle", cpu.idle),
                          ("iowait", cpu.iowait), ("interrupt", cpu.irq + cpu.softirq), ("steal", cpu.steal)):
        found["system.cpu.time", ("cpu.mode", mode)] = seconds
    for state, value in (("free", memory.free), ("buffers", memory.buffers), ("cached", memory.cached)):
        found["system.memory.usage", ("system.memory.state", state)] = value
    for minutes, load in zip((1, 5, 15), psutil.getloadavg()):
        found[f"system.cpu.load_average.{minutes}m",] = load
    if swap.total:
        found["swap", "used"] = swap.used
    for name, io in psutil.net_io_counters(pernic=True, nowrap=False).items():
        for metric, key, received, sent in (
                ("system.network.io", "network.interface.name", io.bytes_recv, io.bytes_sent),
                ("system.network.packet.count", "system.device", io.packets_recv, io.packets_sent),
                ("system.network.packet.dropped", "network.interface.name", io.dropin, io.dropout),
                ("system.network.errors", "network.interface.name", io.errin, io.errout)):
            found[metric, (key, name), ("network.io.direction", "receive")] = received
            found[metric, (key, name), ("network.io.direction", "transmit")] = sent
    for name, io in psutil.disk_io_counters(perdisk=True, nowrap=False).items():
        for metric, read_, written in (
                ("system.disk.io", io.read_bytes, io.write_bytes),
                ("system.disk.operations", io.read_count, io.write_count),
                ("system.disk.merged", io.read_merged_count, io.write_merged_count),
                ("system.disk.operation_time", io.read_time / 1000, io.write_time / 1000)):
            found[metric, ("disk.io.direction", "read"), ("system.device", name)] = read_
            found[metric, ("disk.io.direction", "write"), ("system.device", name)] = written
        found["system.disk.io_time", ("system.device", name)] = io.busy_time / 1000
    for path in psutil.disk_partitions():
        usage = psutil.disk_usage(path.mountpoint)
        for state, value in (("used", usage.used), ("free", usage.free)):
            found["system.filesystem.usage", ("system.device", path.device),
                  ("system.filesystem.mode", "rw" if "rw" in path.opts.split(",") else "ro"),
                  ("system.filesystem.mountpoint", path.mountpoint), ("system.filesystem.state", state),
                  ("system.filesystem.type", path.fstype)] = value
    return found


def test_values_of_psutil(limpet, endpoint, request):
    psutil = load_psutil()
    process = limpet(endpoint.url, *SETTINGS)
    endpoint.wait(3)
    asked = []
    for _ in range(8):
        before = time.time_ns()
        asked.append((before, as_psutil_says(psutil), time.time_ns()))
        time.sleep(0.6)
    time.sleep(0.6)
    assert process.stop() == 0
    series = {}
    for (name, pairs), one in read(endpoint, 0).items():
        series[name, *sorted(pairs)] = one

    rows, wrong, missing = {}, [], set()
    for before, said, after in asked:
        for key, value in said.items():
            one = series.get((key[0], *sorted(key[1:])))
            if one is None:
                missing.add(key[0])
                continue
            low = [v for at, v in one.points if at <= before][-2:][:1]
            high = [v for at, v in one.points if at >= after][:2][-1:]
            if not low or not high:
                continue
            if one.shape[1] != "counter":
                values = [v for _, v in one.points]
                low, high = [min(values)], [max(values)]
            off = max(low[0] - value, value - high[0], 0) / max(abs(value), 1e-9)
            count, worst, checked = rows.get(key[0], (set(), 0, 0))
            rows[key[0]] = (count | {key}, max(worst, off), checked + 1)
            if off > tolerance(key[0]) and abs(low[0] - value) > 0.02:
                wrong.append((key, value, low, high))
    report(request.config, "peer_psutil", table(
        ("metric", "series", "values compared", "apart by at most"),
        [(f"`{name}`", len(keys), checked, f"{100 * worst:.2f} %")
         for name, (keys, worst, checked) in sorted(rows.items())]))
    assert not wrong, "\n".join(map(str, wrong[:20]))
    assert len(rows) >= 18, missing
