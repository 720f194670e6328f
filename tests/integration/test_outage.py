"""Two hours without a destination in two minutes: host metrics and 200 log lines per second, both sixty
times as fast. Nothing is lost, all of it comes in order, memory does not grow, and the backlog leaves at
ten times the rate of its arrival or more. The curve of memory is left as a picture in reports/.
"""

import os
import pathlib
import re
import threading
import time

from endpoint import Answer, Endpoint
from limpet import FAST, GENERATOR, Limpet, generating
from otlp import attributes

SPEED = 60
OUTAGE = 7200 / SPEED                      # Seconds.
LINES = 200 * SPEED                        # Per second.
HOST_INTERVAL_MS = round(1000 / SPEED)
# The second half of the outage and the recovery, against the first.
GROWTH_KIB_MAX = 256
DRAIN_TIMES_MIN = 10                       # Against the rate of arrival.


class Curve(threading.Thread):
    """Resident memory and what the spool holds, twice a second."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process = process
        self.points = []                   # (seconds, resident KiB, spool bytes, items held)
        self.done = threading.Event()

    def run(self):
        began = time.monotonic()
        while not self.done.wait(0.5):
            text = pathlib.Path(f"/proc/{self.process.process.pid}/status").read_text()
            status = self.process.status()
            held = sum(account["held"] for account in status["ledger"].values())
            self.points.append((time.monotonic() - began,
                                int(re.search(r"VmRSS:\s+(\d+)", text)[1]),
                                status["spool"]["bytes"], held))


def picture(points, down, back):
    """An SVG of the curve: resident memory and the spool's size over the time of the outage."""
    width, height, left, top = 720, 300, 60, 30
    x_max = points[-1][0]
    most = max(max(p[1] for p in points) / 1024, max(p[2] for p in points) / 2**20) * 1.1

    def at(seconds, mib):
        return f"{left + seconds / x_max * (width - left - 20):.1f},{height - 40 - mib / most * (height - 70):.1f}"

    def line(values, colour):
        path = " ".join(at(seconds, mib) for seconds, mib in values)
        return f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{path}"/>'

    def label(x, y, text, colour="#444", anchor="start"):
        return f'<text x="{x}" y="{y}" fill="{colour}" text-anchor="{anchor}">{text}</text>'

    x = [float(at(seconds, 0).split(",")[0]) for seconds in (down, back)]
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
             'font-family="sans-serif" font-size="12">',
             f'<rect width="{width}" height="{height}" fill="white"/>',
             f'<rect x="{x[0]}" y="{top}" width="{x[1] - x[0]}" height="{height - 70}" fill="#f3e9e0"/>',
             label((x[0] + x[1]) / 2, height - 50, "no destination", anchor="middle")]
    step = max(1, round(most / 6))
    for mib in range(0, int(most) + 1, step):
        y = float(at(0, mib).split(",")[1])
        parts.append(f'<line x1="{left}" x2="{width - 20}" y1="{y}" y2="{y}" stroke="#ddd"/>')
        parts.append(label(left - 8, y + 4, f"{mib} MiB", anchor="end"))
    for minute in range(0, int(x_max * SPEED / 60) + 1, 30):
        px = float(at(minute * 60 / SPEED, 0).split(",")[0])
        parts.append(label(px, height - 20, f"{minute} min", anchor="middle"))
    parts.append(line([(p[0], p[2] / 2**20) for p in points], "#b5651d"))
    parts.append(line([(p[0], p[1] / 1024) for p in points], "#1d5fb5"))
    parts.append(label(left, 18, "resident memory", "#1d5fb5"))
    parts.append(label(left + 130, 18, "files of the spool", "#b5651d"))
    return "\n".join(parts) + "\n</svg>\n"


def test_two_hours_without_a_destination(folder):
    with Endpoint() as endpoint:
        process = Limpet(folder, endpoint.url, *FAST, f"host.interval={HOST_INTERVAL_MS}ms",
                         "queue.batch_delay=50ms", f"spool.commit_interval={5000 // SPEED}ms",
                         program=GENERATOR, env=generating(LINES))
        curve = Curve(process)
        try:
            endpoint.wait(20)
            curve.start()
            time.sleep(5)
            down = curve.points[-1][0]
            endpoint.default = Answer(503)
            time.sleep(OUTAGE)
            backlog = process.status()
            lines_held = backlog["ledger"]["logs"]["held"]
            assert backlog["spool"]["state"] == "spilling"
            endpoint.default = Answer()
            began, back = time.monotonic(), curve.points[-1][0]
            delivered = backlog["ledger"]["logs"]["delivered"]
            process.wait_for(lambda s: s["ledger"]["logs"]["delivered"] >= delivered + lines_held,
                             timeout=90)
            took = time.monotonic() - began
            # A quiet while later it is calm again, and the file has given its room back.
            small = process.wait_for(lambda s: s["spool"]["state"] == "calm" and
                                     s["spool"]["bytes"] <= 2**20, timeout=60)
            time.sleep(1)
            curve.done.set()
            curve.join()
            status = process.status()
            assert process.stop(30) == 0
        finally:
            curve.done.set()
            process.kill()
        requests = endpoint.requests

    account = status["ledger"]
    assert account["logs"]["dropped"] == account["metrics"]["dropped"] == 0
    newest = 0
    for request in requests:
        if request.answer.status != 200 or not request.complete:
            continue
        if request.signal == "logs":
            for resource in request.message.resource_logs:
                for scope in resource.scope_logs:
                    for record in scope.log_records:
                        line = attributes(record.attributes).get("line")
                        if line is None:
                            continue
                        assert line == newest + 1, "each once, in order, none missing"
                        newest = line
    rate = lines_held / took
    resident = [p[1] for p in curve.points]
    middle = next(i for i, p in enumerate(curve.points) if p[0] > down + OUTAGE / 2)
    growth = max(resident[middle:]) - max(resident[:middle])
    written = backlog["spool"]["written_bytes"]
    print(f"\n{newest} lines in order; {lines_held} held when the destination came back, gone in {took:.1f} s: "
          f"{rate:.0f} lines/s, {rate / LINES:.1f} times the rate of their arrival here; "
          f"spool {max(p[2] for p in curve.points) / 2**20:.1f} MiB at most, {small['spool']['bytes'] // 1024} KiB "
          f"when drained, {written / 2**20:.1f} MiB written; resident {max(resident)} KiB at most, {growth} KiB more in the second half")
    if binary_dir := os.environ.get("LIMPET_BINARY_DIR"):
        reports = pathlib.Path(binary_dir) / "reports"
        reports.mkdir(exist_ok=True)
        (reports / "outage.svg").write_text(picture(curve.points, down, back))
    assert growth <= GROWTH_KIB_MAX
    assert rate >= DRAIN_TIMES_MIN * LINES
