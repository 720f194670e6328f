"""What users see of several destinations: status, metrics, health and the log, while one fails."""

import re
import signal

import pytest

from endpoint import Answer, Endpoint
from limpet import FAST, until
from otlp import points


@pytest.fixture
def fallback():
    with Endpoint() as started:
        yield started


def named(status):
    return {destination["name"]: destination for destination in status["destinations"]}


def sample(page, name, **labels):
    """The value of a sample, None when the page has none."""
    for line in page.splitlines():
        parts = re.fullmatch(r"(\w+)\{(.*)\} (\S+)", line)
        if parts and parts[1] == name and dict(re.findall(r'(\w+)="([^"]*)"', parts[2])) == labels:
            return float(parts[3])
    return None


def start(limpet, endpoint, fallback, *settings):
    return limpet(endpoint.url, *FAST, f"destination.fallback.url={fallback.url}",
                  "destination.fallback.priority=2", "breaker.failback=500ms", *settings)


def test_a_failover_is_shown(limpet, endpoint, fallback):
    running = start(limpet, endpoint, fallback)
    endpoint.wait(2)
    status = running.status()
    assert {name: d["active"] for name, d in named(status).items()} == {
        "primary": ["metrics", "logs", "traces"], "fallback": []}
    assert named(status)["primary"]["transitions"] == {}

    endpoint.default = Answer(503)
    fallback.wait(3)
    status = running.wait_for(lambda s: named(s)["fallback"]["last_success"])
    primary, second = named(status)["primary"], named(status)["fallback"]
    assert "metrics" not in primary["active"] and "metrics" in second["active"]
    assert primary["breaker"] in ("open", "half_open") and second["breaker"] == "closed"
    assert primary["transitions"]["open"].keys() == {"status"}
    assert len([r for r in endpoint.requests if r.content and r.answer.status == 503]) == 1, (
        "one failure was enough, and probes carry no data")
    assert primary["last_error"].startswith("503") and second["last_error"] is None
    assert status["health"] == {"ok": True, "delivery": "ok", "reasons": []}, "another takes it all"

    page = running.get("/metrics")[1]
    assert sample(page, "limpet_destination_active", destination="primary", signal="metrics") == 0
    assert sample(page, "limpet_destination_active", destination="fallback", signal="metrics") == 1
    assert sample(page, "limpet_breaker_state", destination="primary") in (1, 2)
    assert sample(page, "limpet_breaker_state", destination="fallback") == 0
    assert sample(page, "limpet_breaker_transitions_total", destination="primary", to="open",
                  reason="status") >= 1
    assert sample(page, "limpet_requests_total", destination="primary", code="503") >= 1
    assert sample(page, "limpet_requests_total", destination="fallback", code="200") >= 2
    assert sample(page, "limpet_items_delivered_total", signal="metrics", destination="fallback") > 0

    text = running.ask("status").stdout
    block = text[text.index("destination  primary"):]
    assert "breaker" in block and "no traffic" in block and "last error" in block and "503" in block

    running.signal(signal.SIGUSR1)
    lines = {line["name"]: line for line in running.wait_for_log("destination", 2)}
    assert "metrics" in lines["fallback"]["active"].split(",")
    assert "metrics" not in lines["primary"]["active"] and "503" in lines["primary"]["last_error"]

    # Probes carry no data and no key; traffic returns once nothing has failed for a while.
    endpoint.default = Answer()
    running.wait_for(lambda s: named(s)["primary"]["failback_seconds"] > 0, what="a quiet time")
    status = running.wait_for(lambda s: "metrics" in named(s)["primary"]["active"], what="a fail-back")
    running.wait_for(lambda s: named(s)["primary"]["breaker"] == "closed")
    assert "metrics" not in named(status)["fallback"]["active"]
    assert named(running.status())["primary"]["transitions"]["closed"] == {"quiet": 1}
    probes = [r for r in endpoint.requests if not r.content]
    assert probes and all(r.key is None for r in probes)
    assert running.stop() == 0
    account = running.final_account()
    assert account["delivered"] == account["collected"], "nothing was lost on the way"
    got = [r for e in (endpoint, fallback) for r in e.requests if r.content and r.answer.status == 200]
    assert sum(len(points(r.message)) for r in got) == account["delivered"], "and nothing came twice"


def test_wrong_credentials_of_one_are_no_alarm_while_another_delivers(limpet, endpoint, fallback):
    endpoint.default = Answer(401)
    running = start(limpet, endpoint, fallback)
    fallback.wait(3)
    status = running.status()
    assert status["health"]["ok"] and status["health"]["delivery"] == "ok"
    assert "401" in named(status)["primary"]["last_error"]
    assert named(status)["primary"]["transitions"]["open"].keys() == {"misconfigured"}

    fallback.default = Answer(401)
    healthy = until(lambda: not running.health()[0], what="an alarm")
    assert healthy
    reasons = running.health()[1]["reasons"]
    assert len(reasons) == 1 and "misconfigured" in reasons[0] and "401" in reasons[0]


def test_both_down_is_degraded_and_held(limpet, endpoint, fallback):
    endpoint.default = fallback.default = Answer(503)
    running = start(limpet, endpoint, fallback)
    status = running.wait_for(lambda s: s["health"]["delivery"] == "degraded" and
                              all(d["breaker"] != "closed" for d in s["destinations"]))
    assert status["health"]["ok"]
    assert status["ledger"]["metrics"]["dropped"] == 0
    text = running.ask("status").stdout
    assert text.count("last error") == 2
    fallback.default = Answer()
    running.wait_for(lambda s: s["ledger"]["metrics"]["held"] < 100 and s["health"]["delivery"] == "ok")
