"""OTLP JSON becomes the protobuf that it stands for, and protobuf the JSON: random requests with all
that the messages can hold, written as SDKs write them and as oddly as the rules allow, compared
message to message."""

import json
import os
import pathlib
import random
import subprocess

import pytest
from opentelemetry.proto.metrics.v1 import metrics_pb2

import otlp_random

TOOL = pathlib.Path(os.environ.get("LIMPET", "limpet")).with_name("otlp-json")
SEED = int(os.environ.get("LIMPET_SEED", "20261126"))
ROUNDS = 300


@pytest.fixture(scope="module")
def convert():
    """A function: signal and a request, in JSON or protobuf, to the other form, or the tool's word on
    what is wrong with it."""
    with subprocess.Popen([TOOL], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as tool:
        def through_the_tool(signal, body, form="json"):
            tool.stdin.write(f"{signal} {form} {len(body)}\n".encode() + body)
            tool.stdin.flush()
            word, _, rest = tool.stdout.readline().decode().strip().partition(" ")
            return tool.stdout.read(int(rest)) if word == "ok" else f"{word} {rest}"

        yield through_the_tool
        tool.stdin.close()
        assert tool.wait(10) == 0


@pytest.mark.parametrize("signal", otlp_random.REQUESTS)
def test_every_field_in_every_form(convert, signal):
    print(f"LIMPET_SEED={SEED}")
    rng = random.Random(f"{SEED} {signal}")
    missing = otlp_random.reachable(signal)
    for number in range(4 * ROUNDS):
        if number >= ROUNDS and not missing:
            break
        message = otlp_random.request(rng, signal)
        missing -= otlp_random.seen(message)
        printed = convert(signal, message.SerializeToString(), "protobuf")
        for body in (otlp_random.to_json(message), otlp_random.to_json(message, rng), printed):
            got = convert(signal, body)
            assert isinstance(got, bytes), (got, body)
            assert otlp_random.same(otlp_random.REQUESTS[signal].FromString(got), message), body
    assert not missing, "what the run has not had"


@pytest.mark.parametrize("signal", otlp_random.REQUESTS)
def test_a_body_that_was_cut(convert, signal):
    rng = random.Random(f"{SEED} cut {signal}")
    for _ in range(ROUNDS):
        body = otlp_random.to_json(otlp_random.request(rng, signal), rng).rstrip()
        cut = body[:rng.randrange(len(body))]
        got = convert(signal, cut)
        assert isinstance(got, str) and got.startswith("invalid "), (got, cut)
        assert 0 <= int(got.split()[1]) <= len(cut)


def test_one_level_too_deep(convert):
    message = otlp_random.REQUESTS["logs"]()
    attributes, depth = otlp_random.attributes_of("logs", message)
    otlp_random.deepen(random.Random(SEED), attributes.add().value, depth + 1)
    value = attributes[0].value
    while value.ListFields():
        value = (value.array_value.values[0] if value.HasField("array_value")
                 else value.kvlist_value.values[0].value)
    assert isinstance(convert("logs", otlp_random.to_json(message)), bytes)
    value.array_value.values.add().array_value.SetInParent()
    assert convert("logs", otlp_random.to_json(message)).endswith("JSON depth")


@pytest.mark.parametrize("twice, shown", [
    ("gauge sum", "sum"), ("sum gauge", "gauge"), ("summary summary", "summary")])
def test_of_a_oneof_that_is_there_twice_the_last_one_is_shown(convert, twice, shown):
    metrics = [metrics_pb2.Metric(name="m") for _ in twice.split()]
    for metric, kind in zip(metrics, twice.split()):
        getattr(metric, kind).SetInParent()
    both = b"".join(metric.SerializeToString() for metric in metrics)
    for _ in range(3):  # Metric, scope, resource.
        both = b"\x12" + bytes([len(both)]) + both
    got = json.loads(convert("metrics", b"\n" + both[1:], "protobuf"))
    assert got == {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "m", shown: {}}]}]}]}
