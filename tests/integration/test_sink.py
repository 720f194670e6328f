"""`limpet sink` against the official messages: whatever they can hold is taken and shown."""

import gzip
import http.client
import json
import math
import os
import random
import signal
import socket
import subprocess
import time

import pytest
from google.protobuf.descriptor import FieldDescriptor
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

LIMPET = os.environ.get("LIMPET", "limpet")
SEED = int(os.environ.get("LIMPET_SEED", "20261121"))
DEEP = 14  # Messages inside messages; arrays and lists in values nest as far.

REQUESTS = {
    "metrics": metrics_service_pb2.ExportMetricsServiceRequest,
    "logs": logs_service_pb2.ExportLogsServiceRequest,
    "traces": trace_service_pb2.ExportTraceServiceRequest,
}


class Sink:
    """The real program on a free port; its lines are read from a file."""

    def __init__(self, tmp_path, *options):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.out = tmp_path / "out"
        self.process = subprocess.Popen(
            [LIMPET, "sink", "--listen", f"127.0.0.1:{self.port}", *options],
            stdout=open(self.out, "wb"), stderr=subprocess.PIPE)

    def __enter__(self):
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self
            except ConnectionRefusedError:
                assert self.process.poll() is None, self.process.stderr.read()
                time.sleep(0.02)
        raise AssertionError("limpet sink does not listen")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)

    def post(self, path, body, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", path, body,
                           {"Content-Type": "application/x-protobuf", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read()

    def lines(self, count):
        for _ in range(200):
            lines = self.out.read_text(encoding="utf-8").split("\n")[:-1]
            if len(lines) >= count:
                break
            time.sleep(0.02)
        return lines


def any_text(rng):
    letters = ["a", "b", " ", '"', "\\", "\n", "\x1b", "\0", "=", ",", "é", "€", "🐌", "\u202e"]
    return "".join(rng.choice(letters) for _ in range(rng.choice([0, 1, 3, 12])))


def any_scalar(rng, field):
    kind = field.type
    if kind == FieldDescriptor.TYPE_STRING:
        return any_text(rng)
    if kind == FieldDescriptor.TYPE_BYTES:
        return rng.randbytes(rng.choice([0, 8, 16]))
    if kind == FieldDescriptor.TYPE_BOOL:
        return rng.random() < 0.5
    if kind == FieldDescriptor.TYPE_DOUBLE:
        return rng.choice([0.0, 1.5, -2e300, 5e-324, math.nan, math.inf, -math.inf, rng.random()])
    if kind == FieldDescriptor.TYPE_ENUM:
        return rng.choice(field.enum_type.values).number
    if kind in (FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_SFIXED64):
        return rng.choice([0, 1, -1, 2**63 - 1, -(2**63)])
    if kind in (FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_FIXED64):
        return rng.choice([0, 1, 1795227330250000001, 2**64 - 1])
    if kind in (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_SINT32):
        return rng.choice([0, 5, -5, 2**31 - 1, -(2**31)])
    return rng.choice([0, 7, 2**32 - 1])


def fill(rng, message, depth=0):
    """Sets most of the message's fields, its messages' fields likewise."""
    for field in message.DESCRIPTOR.fields:
        if rng.random() < (0.25 if depth < 5 else 0.45):
            continue
        if field.message_type and depth > DEEP:
            continue
        if field.message_type and field.is_repeated:
            for _ in range(rng.choice([1, 2] if depth < 7 else [0, 1, 1, 2])):
                fill(rng, getattr(message, field.name).add(), depth + 1)
        elif field.message_type:
            getattr(message, field.name).SetInParent()
            fill(rng, getattr(message, field.name), depth + 1)
        elif field.is_repeated:
            values = [any_scalar(rng, field) for _ in range(rng.choice([0, 1, 5]))]
            getattr(message, field.name).extend(values)
        else:
            setattr(message, field.name, any_scalar(rng, field))
    return message


def items(signal_name, request):
    if signal_name == "logs":
        return [i for r in request.resource_logs for s in r.scope_logs for i in s.log_records]
    if signal_name == "traces":
        return [i for r in request.resource_spans for s in r.scope_spans for i in s.spans]
    metrics = [m for r in request.resource_metrics for s in r.scope_metrics for m in s.metrics]
    return [p for m in metrics if m.WhichOneof("data")
            for p in getattr(m, m.WhichOneof("data")).data_points]


@pytest.mark.parametrize("json_lines", [False, True])
def test_takes_all_that_the_messages_can_hold(tmp_path, json_lines):
    print(f"LIMPET_SEED={SEED}")
    rng = random.Random(SEED)
    expected = []
    with Sink(tmp_path, *(["--json"] if json_lines else [])) as sink:
        for number in range(60):
            for name, make in REQUESTS.items():
                request = fill(rng, make())
                body = request.SerializeToString()
                if number % 2:
                    answer = sink.post(f"/v1/{name}", gzip.compress(body), Content_Encoding="gzip")
                else:
                    answer = sink.post(f"/v1/{name}", body)
                assert answer == (200, b"")
                expected += [(name, item) for item in items(name, request)]
        lines = sink.lines(len(expected))
    if not json_lines:
        assert len([line for line in lines if not line.startswith("# ")]) == len(expected)
        assert not any(c < " " or c == "\x7f" for line in lines for c in line)
        return
    assert len(lines) == len(expected)
    for line, (name, item) in zip(lines, expected):
        shown = json.loads(line)
        assert shown["signal"] == name
        assert shown.get("attributes", {}).keys() == {pair.key for pair in item.attributes}
        if name == "logs":
            assert shown.get("trace_id", "") == item.trace_id.hex()
            if item.body.HasField("string_value"):
                assert shown["body"] == item.body.string_value
        if name == "traces":
            assert shown.get("name", "") == item.name
            assert len(shown.get("events", [])) == len(item.events)


def test_fails_on_purpose(tmp_path):
    with Sink(tmp_path, "--fail", "100%") as sink:
        status, body = sink.post("/v1/logs", b"")
        assert status == 503 and b"on purpose" in body


def test_refuses_what_is_wrong(tmp_path):
    with Sink(tmp_path) as sink:
        assert sink.post("/v1/logs", b"\xff")[0] == 400
        assert sink.post("/v1/logs", b"{}", Content_Type="application/json")[0] == 415
        assert sink.post("/v1/other", b"")[0] == 404
        assert sink.post("/v1/logs", gzip.compress(bytes(5 << 20)), Content_Encoding="gzip")[0] == 413
        assert sink.post("/v1/logs", b"")[0] == 200
