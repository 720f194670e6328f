"""kill -9, two hundred times, at random moments over outage and recovery, on a real file.

Each life of limpet-generator writes numbered lines of its own, LIVES apart, so that what is missing of a life
can be told: it has to be its last lines alone, and no more of them than the contract puts at risk. The
endpoint keeps every request that it accepted. The seed is printed, and LIMPET_SEED gives it back.
"""

import os
import random
import signal
import time

import pytest

from endpoint import Answer, Endpoint
from limpet import FAST, GENERATOR, Limpet, generating
from otlp import attributes

KILLS = 100                    # For each durability.
RATE = 200
LIVES = 100_000                # Numbers of a life.
COMMIT_INTERVAL = 0.5
# Beside the interval: the commit that runs, the open batch of `always`, and what a busy machine adds.
SLACK = 1.2
DOWN, UP = 7, 3                # Lives of an outage, lives of a recovery.
UNCLEAN = "the last process ended without a stop: what it had not committed is lost"


class Judge:
    """What the endpoint accepted, in the order of its arrival."""

    def __init__(self, requests):
        self.bodies = {}       # Key -> body: equal for every attempt.
        self.keys = {}         # Line -> key, in the order of the first arrivals.
        self.times = {}        # Line -> when it was made.
        self.crashes = 0       # Events limpet.data_lost, reason crash.
        self.broken = []
        self.repeats = 0
        for request in requests:
            if not request.complete:
                continue
            if self.bodies.setdefault(request.key, request.body) != request.body:
                self.broken.append(f"{request.key}: other bytes than before")
            if request.signal == "logs" and request.answer.status == 200:
                self.take(request)

    def take(self, request):
        for resource in request.message.resource_logs:
            for scope in resource.scope_logs:
                for record in scope.log_records:
                    found = attributes(record.attributes)
                    if record.event_name == "limpet.data_lost":
                        self.crashes += found["limpet.reason"] == "crash"
                        continue
                    line = found["line"]
                    if line in self.keys:
                        self.repeats += 1
                        if self.keys[line] != request.key:
                            self.broken.append(f"line {line} again, under another key")
                        continue
                    self.keys[line] = request.key
                    self.times[line] = record.time_unix_nano / 1e9


@pytest.mark.parametrize("durability", ["on_demand", "always"])
def test_two_hundred_kills(folder, durability):
    seed = int(os.environ.get("LIMPET_SEED", random.randrange(2**32)))
    dice = random.Random(seed)
    print(f"\nseed {seed}")
    lives = []  # (first number, when it was there, when it was killed)
    with Endpoint() as endpoint:
        def start(life, rate=RATE):
            return Limpet(folder, endpoint.url, *FAST, "host.interval=100ms",
                          f"spool.durability={durability}",
                          f"spool.commit_interval={int(COMMIT_INTERVAL * 1000)}ms",
                          "queue.batch_delay=100ms", program=GENERATOR,
                          env=generating(rate, 1 + life * LIVES))

        for life in range(KILLS):
            endpoint.default = Answer(200 if life % (DOWN + UP) >= DOWN else 503)
            process = start(life)
            try:
                process.status()  # Asserts that the ledger balances.
                began = time.time()
                if life > 0:
                    process.wait_for_log(UNCLEAN)
                else:  # Who never committed anything leaves no trace.
                    process.wait_for(lambda s: s["spool"]["syncs"] > 0)
                time.sleep(dice.random() ** 2 * 1.2)
                process.signal(signal.SIGKILL)
                lives.append((1 + life * LIVES, began, time.time()))
                process.process.wait()
            finally:
                process.kill()
        endpoint.default = Answer()
        process = start(KILLS)
        try:
            process.wait_for(lambda s: s["ledger"]["logs"]["delivered"] > 0 and
                             s["held"]["spool"] == 0 and s["held"]["memory"] < 3 * RATE, timeout=30)
            assert process.stop() == 0
            account = [line for line in process.lines("ledger") if line["signal"] == "logs"][-1]
        finally:
            process.kill()
        lives.append((1 + KILLS * LIVES, None, None))

    judge = Judge(endpoint.requests)
    order = list(judge.keys)
    assert not judge.broken, judge.broken[:5]
    assert order == sorted(order), "lines arrive in the order in which they were made"
    assert len(order) > KILLS * RATE // 10, "there was something to lose"
    lost = []
    for first, began, killed in lives:
        arrived = sorted(n for n in judge.keys if first <= n < first + LIVES)
        assert arrived == list(range(first, first + len(arrived))), f"a hole in the life from {first}"
        if killed is not None:
            lost.append(killed - (judge.times[arrived[-1]] if arrived else began))
    print(f"{durability}: {len(order)} lines of {len(lives)} lives arrived, {judge.repeats} again under "
          f"their key; the last line of a life was at most {max(lost):.2f} s older than the kill")
    most = COMMIT_INTERVAL + SLACK if durability == "on_demand" else SLACK
    assert max(lost) <= most
    # Each start told of the one before; a few of these records were lost with the next life.
    assert judge.crashes >= KILLS // 4
    assert int(account["dropped"]) == 0 and int(account["held"]) == 0
