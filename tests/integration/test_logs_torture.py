"""limpet reads files that are rotated by every method there is, while it is killed, stopped and cut off:
every line arrives once, or again under the same log.record.uid (spec.md sections 4 and 5).

LIMPET_TORTURE_SECONDS: how long lines are written. LIMPET_TORTURE_SEED: the script; printed, and random
where it is not given. LIMPET_TORTURE_PATTERN: what limpet's path is, behind the folder.
"""

import os
import secrets

import pytest

from limpet import FAST, Limpet, balances
from logs_torture import Network, Torture

SECONDS = float(os.environ.get("LIMPET_TORTURE_SECONDS", "45"))
SEED = int(os.environ.get("LIMPET_TORTURE_SEED", "0")) or secrets.randbelow(10**6) + 1
PATTERN = os.environ.get("LIMPET_TORTURE_PATTERN", "*.log")


class Program:
    """limpet, in as many lives as it takes."""

    def __init__(self, folder, url, *settings):
        self.folder, self.url = folder, url
        self.settings = ("log.torture.type=file", f"log.torture.path={folder}/logs/{PATTERN}",
                         "log.torture.start_at=beginning", "log.torture.discover=1s",
                         "destination.primary.timeout=2s", "agent.shutdown_timeout=3s", *FAST, *settings)
        self.process, self.logs, self.faults, self.codes = None, [], [], []

    def start(self):
        self.process = Limpet(self.folder, self.url, *self.settings, host=False)

    def ended(self):
        code = self.process.process.poll()
        if code is not None:
            self.faults.append(f"ended with {code} of its own accord:\n{self.process.log[-2000:]}")
        self.logs.append(self.process.log)
        return code is not None

    def kill(self):
        if not self.ended():
            self.process.kill()

    def stop(self, timeout):
        if not self.ended():
            self.codes.append(self.process.stop(timeout))


@pytest.mark.parametrize("durability", ["on_demand", "always"])
def test_every_line_is_accounted_for(durability, folder):
    seed = SEED + (durability == "always")
    print(f"LIMPET_TORTURE_SEED={SEED} LIMPET_TORTURE_SECONDS={SECONDS:.0f}")
    network = Network()
    program = Program(folder, network.url, f"spool.durability={durability}")
    status, torture = None, None
    try:
        torture = Torture(program, network, folder, seed, SECONDS).run()
        status = program.process.wait_for(lambda s: sum(s["held"].values()) == 0, timeout=20)
        program.stop(20.0)
    finally:
        if program.process is not None:
            program.process.kill()
        network.stop()
        for number, log in enumerate([*program.logs, program.process.log if program.process else ""]):
            print(f"life {number}:\n{log[-1500:]}")
        if torture is not None and torture.done is not None:
            print(torture.summary())
    assert not program.faults, program.faults
    assert set(program.codes) == {0}
    faults = torture.account.faults
    assert torture.lost == 0
    for kind in ("foreign", "no uid", "repeated under another uid", "one uid for two lines",
                 "out of order in a generation"):
        assert faults[kind] == 0, f"{kind}: {torture.account.samples[kind]}"
    logs = status["ledger"]["logs"]
    assert balances(status["ledger"]) and logs["dropped"] == 0 and logs["dead"] == 0
    # What a kill took was collected, and is read again, but was never in the account.
    assert logs["delivered"] > torture.written / 2
