"""The program with the source of numbered log lines: what it sends, as the official messages read it."""

import os
import subprocess

import pytest

from limpet import GENERATOR, LIMPET, generating
from otlp import attributes

START_2024 = 1_704_067_200 * 10**9


def records(requests):
    """(resource attributes, scope, record) of each log record, in order."""
    return [(attributes(of_resource.resource.attributes), of_scope.scope, record)
            for request in requests if request.signal == "logs"
            for of_resource in request.message.resource_logs
            for of_scope in of_resource.scope_logs
            for record in of_scope.log_records]


def test_lines_are_numbered_in_order_and_official_messages_read_them(limpet, endpoint):
    process = limpet(endpoint.url, "queue.batch_delay=200ms", host=False, program=GENERATOR,
                     env=generating(500, 70))
    process.wait_for(lambda s: s["ledger"]["logs"]["delivered"] >= 1000)
    assert process.stop() == 0
    found = records(endpoint.requests)
    assert [attributes(record.attributes)["line"] for _, _, record in found] == list(
        range(70, 70 + len(found)))
    for index, (resource, scope, record) in enumerate(found):
        assert resource == {"service.name": "generator"}
        assert scope.name == "limpet" and scope.version
        assert record.body.string_value.startswith(f"line {70 + index:09} ")
        assert len(record.body.string_value) == 200
        assert (record.severity_number, record.severity_text) == (9, "info")
        assert START_2024 < record.time_unix_nano <= record.observed_time_unix_nano
        assert not record.event_name and not record.trace_id
    times = [record.time_unix_nano for _, _, record in found]
    assert times == sorted(times)
    for request in endpoint.requests:
        schemas = {r.schema_url for r in request.message.resource_logs}
        assert schemas == {"https://opentelemetry.io/schemas/1.44.0"}


@pytest.mark.parametrize("value", ["", "0", "x", "10:", "10:x", "10 ", "99999999999999999999"])
def test_a_bad_rate_is_said(value):
    done = subprocess.run(
        [GENERATOR, "check", "-c", os.devnull, "--set", "destination.primary.url=http://127.0.0.1:1"],
        capture_output=True, text=True, env=os.environ | {"LIMPET_GENERATE": value}, timeout=10)
    assert done.returncode == (64 if value else 0)
    assert ("LINES_PER_SECOND" in done.stderr) == (value != "")


def test_the_product_has_no_such_source(limpet, endpoint):
    with open(LIMPET, "rb") as file:
        assert b"LIMPET_GENERATE" not in file.read()
    process = limpet(endpoint.url, env=generating(500))
    process.wait_for(lambda s: s["ledger"]["metrics"]["delivered"] > 0)
    assert process.status()["ledger"]["logs"]["collected"] == 0
