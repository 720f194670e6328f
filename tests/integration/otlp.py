"""Looks at decoded metrics: points by name, and what the semantic conventions say of each name."""

from dataclasses import dataclass

from opentelemetry.proto.metrics.v1 import metrics_pb2


@dataclass
class Point:
    """One point with all that is said about it. value: int, float, or the histogram point."""

    name: str
    kind: str           # counter updown gauge histogram
    unit: str
    number: str         # int double histogram
    value: object
    attributes: dict
    start: int          # start_time_unix_nano
    time: int           # time_unix_nano


def any_value(value):
    which = value.WhichOneof("value")
    assert which in ("string_value", "int_value", "bool_value", "double_value"), value
    return getattr(value, which)


def attributes(pairs):
    found = {pair.key: any_value(pair.value) for pair in pairs}
    assert len(found) == len(pairs), "an attribute twice"
    return found


def points(message):
    """All points of an ExportMetricsServiceRequest."""
    found = []
    for resource in message.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                found += points_of(metric)
    return found


def points_of(metric):
    which = metric.WhichOneof("data")
    data = getattr(metric, which)
    if which == "gauge":
        kind = "gauge"
    else:
        assert data.aggregation_temporality == metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE
        kind = {"sum": "counter" if which == "sum" and data.is_monotonic else "updown",
                "histogram": "histogram"}[which]
    found = []
    for point in data.data_points:
        if which == "histogram":
            number, value = "histogram", point
        else:
            field = point.WhichOneof("value")
            number, value = {"as_int": "int", "as_double": "double"}[field], getattr(point, field)
        found.append(Point(metric.name, kind, metric.unit, number, value, attributes(point.attributes),
                           point.start_time_unix_nano, point.time_unix_nano))
    return found


MODES = {"user", "nice", "system", "idle", "iowait", "interrupt", "steal"}
STATES = {"used", "free", "buffers", "cached"}
DIRECTIONS = {"receive", "transmit"}
DISK = {"system.device": str}
TCP_STATES = {"established", "syn_sent", "syn_received", "fin_wait_1", "fin_wait_2", "time_wait", "closed",
              "close_wait", "last_ack", "listen", "closing"}
FILESYSTEM = {"system.device": str, "system.filesystem.type": str, "system.filesystem.mode": {"rw", "ro"},
              "system.filesystem.mountpoint": str}
PRESSURE = {"system.linux.pressure.resource": {"cpu", "memory", "io"},
            "system.linux.pressure.kind": {"some", "full"}}

# Name: kind, number, unit, attributes (a set of allowed values, None if it may be missing, or a type). Semantic conventions
# 1.44, and the Collector's names where they have none.
HOST_METRICS = {
    "system.cpu.time": ("counter", "double", "s", {"cpu.mode": MODES}),
    "system.cpu.logical.count": ("updown", "int", "{cpu}", {}),
    "system.cpu.physical.count": ("updown", "int", "{cpu}", {}),
    "system.cpu.frequency": ("gauge", "int", "Hz", {"cpu.logical_number": int}),
    "system.cpu.load_average.1m": ("gauge", "double", "{thread}", {}),
    "system.cpu.load_average.5m": ("gauge", "double", "{thread}", {}),
    "system.cpu.load_average.15m": ("gauge", "double", "{thread}", {}),
    "system.memory.usage": ("updown", "int", "By", {"system.memory.state": STATES}),
    "system.memory.utilization": ("gauge", "double", "1", {"system.memory.state": STATES}),
    "system.memory.linux.available": ("updown", "int", "By", {}),
    "system.memory.linux.shared": ("updown", "int", "By", {}),
    "system.memory.linux.slab.usage": (
        "updown", "int", "By", {"system.memory.linux.slab.state": {"reclaimable", "unreclaimable"}}),
    "system.memory.linux.hugepages.limit": ("updown", "int", "{page}", {}),
    "system.memory.linux.hugepages.page_size": ("updown", "int", "By", {}),
    "system.memory.linux.hugepages.reserved": ("updown", "int", "{page}", {}),
    "system.memory.linux.hugepages.surplus": ("updown", "int", "{page}", {}),
    "system.memory.linux.hugepages.usage": (
        "updown", "int", "{page}", {"system.memory.linux.hugepages.state": {"free", "used"}}),
    "system.memory.linux.hugepages.utilization": (
        "gauge", "double", "1", {"system.memory.linux.hugepages.state": {"free", "used"}}),
    "system.paging.usage": (
        "updown", "int", "By", {"system.paging.state": {"used", "free"}, "system.device": str}),
    "system.paging.utilization": (
        "gauge", "double", "1", {"system.paging.state": {"used", "free"}, "system.device": str}),
    "system.paging.faults": (
        "counter", "int", "{fault}", {"system.paging.fault.type": {"major", "minor"}}),
    "system.paging.operations": (
        "counter", "int", "{operation}",
        {"system.paging.fault.type": {"major", "minor"}, "system.paging.direction": {"in", "out"}}),
    "system.disk.io": ("counter", "int", "By", DISK | {"disk.io.direction": {"read", "write"}}),
    "system.disk.operations": (
        "counter", "int", "{operation}", DISK | {"disk.io.direction": {"read", "write"}}),
    "system.disk.merged": (
        "counter", "int", "{operation}", DISK | {"disk.io.direction": {"read", "write"}}),
    "system.disk.operation_time": (
        "counter", "double", "s", DISK | {"disk.io.direction": {"read", "write"}}),
    "system.disk.io_time": ("counter", "double", "s", DISK),
    "system.disk.weighted_io_time": ("counter", "double", "s", DISK),
    "system.disk.pending_operations": ("updown", "int", "{operation}", DISK),
    "system.disk.limit": ("updown", "int", "By", DISK),
    "system.network.io": (
        "counter", "int", "By", {"network.interface.name": str, "network.io.direction": DIRECTIONS}),
    "system.network.packet.count": (
        "counter", "int", "{packet}", {"system.device": str, "network.io.direction": DIRECTIONS}),
    "system.network.packet.dropped": (
        "counter", "int", "{packet}",
        {"network.interface.name": str, "network.io.direction": DIRECTIONS}),
    "system.network.errors": (
        "counter", "int", "{error}",
        {"network.interface.name": str, "network.io.direction": DIRECTIONS}),
    "system.filesystem.usage": (
        "updown", "int", "By", {"system.filesystem.state": {"used", "free", "reserved"}, **FILESYSTEM}),
    "system.filesystem.utilization": (
        "gauge", "double", "1", {"system.filesystem.state": {"used", "free", "reserved"}, **FILESYSTEM}),
    "system.filesystem.limit": ("updown", "int", "By", FILESYSTEM),
    "system.filesystem.inodes.usage": (
        "updown", "int", "{inode}", {"system.filesystem.state": {"used", "free"}, **FILESYSTEM}),
    "system.network.connection.count": (
        "updown", "int", "{connection}",
        {"network.transport": {"tcp", "udp"}, "network.connection.state": TCP_STATES | {None}}),
    "system.process.count": (
        "updown", "int", "{process}", {"process.state": {"running", "sleeping", "stopped", "defunct"}}),
    "system.process.created": ("counter", "int", "{process}", {}),
    "system.process.limit": ("updown", "int", "{thread}", {}),
    "system.uptime": ("gauge", "double", "s", {}),
    "system.linux.pressure.stall_time": ("counter", "double", "s", PRESSURE),
    "system.linux.pressure.average": (
        "gauge", "double", "1", PRESSURE | {"system.linux.pressure.window": {"10s", "60s", "300s"}}),
    "system.linux.clock.synchronized": ("gauge", "int", "1", {}),
    "system.linux.clock.offset": ("gauge", "double", "s", {}),
    "system.linux.clock.max_error": ("gauge", "double", "s", {}),
}

# Those that not every kernel or board has, or not every cycle on a machine that is slow to answer.
SOMETIMES = {name for name in HOST_METRICS if "hugepages" in name or "filesystem" in name} | {
    "system.cpu.frequency", "system.cpu.physical.count", "system.linux.clock.synchronized",
    "system.linux.clock.offset", "system.linux.clock.max_error",
    "system.paging.usage", "system.paging.utilization",
    "system.linux.pressure.stall_time", "system.linux.pressure.average"}

DESTINATION = {"destination": str}
SIGNALS = {"metrics", "logs", "traces"}
SELF_METRICS = {
    "limpet.items.collected": ("counter", "int", "{item}", {"signal": SIGNALS}),
    "limpet.items.delivered": ("counter", "int", "{item}", {"signal": SIGNALS} | DESTINATION),
    "limpet.items.rejected": ("counter", "int", "{item}", {"signal": SIGNALS} | DESTINATION),
    "limpet.items.dropped": ("counter", "int", "{item}", {"signal": SIGNALS, "reason": str}),
    "limpet.items.dead": ("updown", "int", "{item}", {"signal": SIGNALS}),
    "limpet.items.held": ("updown", "int", "{item}",
                          {"signal": SIGNALS, "where": {"open", "memory", "spool"}}),
    "limpet.in.flight": ("updown", "int", "{request}", DESTINATION),
    "limpet.requests": ("counter", "int", "{request}", DESTINATION | {"code": str}),
    "limpet.request.duration": ("histogram", "histogram", "s", DESTINATION),
    "limpet.breaker.state": ("gauge", "int", "1", DESTINATION),
    "limpet.breaker.transitions": ("counter", "int", "{transition}",
                                   DESTINATION | {"to": {"closed", "half_open", "open"}, "reason": str}),
    "limpet.destination.active": ("gauge", "int", "1", DESTINATION | {"signal": SIGNALS}),
    "limpet.spool": ("updown", "int", "By", {}),
    "limpet.spool.written": ("counter", "int", "By", {}),
    "limpet.spool.damaged": ("counter", "int", "{record}", {}),
    "limpet.clock.steps": ("counter", "int", "{step}", {}),
    "limpet.clock.synchronized": ("gauge", "int", "1", {}),
    "limpet.pool": ("updown", "int", "By", {"pool": str}),
    "limpet.pool.used": ("updown", "int", "By", {"pool": str}),
    "limpet.pool.peak": ("updown", "int", "By", {"pool": str}),
    "limpet.oldest.held": ("gauge", "double", "s", {}),
    "limpet.tick.delay": ("histogram", "histogram", "s", {}),
    "limpet.build.info": ("gauge", "int", "1", {"version": str}),
}


def check_points(found, table):
    """Each point is as the table says of its name, and no series is there twice in a cycle."""
    seen = set()
    for point in found:
        assert point.name in table, f"{point.name} is not in the table"
        kind, number, unit, expected = table[point.name]
        assert (point.kind, point.number, point.unit) == (kind, number, unit), point
        assert point.attributes.keys() <= expected.keys(), point
        for key, allowed in expected.items():
            value = point.attributes.get(key)
            assert isinstance(value, allowed) if isinstance(allowed, type) else value in allowed, point
        series = (point.name, point.time, *sorted(point.attributes.items()))
        assert series not in seen, f"twice: {point}"
        seen.add(series)
        if point.kind in ("counter", "histogram"):
            assert 0 < point.start <= point.time, point
