#!/usr/bin/env python3
"""What it costs to read a log file and to hand it on: limpet beside the Collector, and the floor.

usage: log_load.py [--lines 1000000] [--runs 1] [NAME...]

Each candidate reads the same file of lines of 200 bytes from its beginning, one after the other, and delivers
to the same endpoint, which answers at once; what it got is decoded after the run. CPU is that of the
candidate's process, user and system, from its start until nothing has arrived for 12 seconds. Every line has a
number, so the endpoint can say whether all arrived, once, and in order. The floor is what deflate alone takes
for the bytes that limpet has sent, in the batches in which it sent them (log_floor). Prints a table in Markdown.

Run it by the Python of the cache, ~/.cache/limpet/venv/bin/python. LIMPET names the program, build/
x86_64-linux-musl/limpet without it; the endpoint and the floor are the targets otlp_sink and log_floor of the
same build folder. The Collector comes from tools/peers. The file is kept in the cache: 200 MB.
"""

import argparse
import gzip
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import time

from otlp_load import CACHE, LIMPET, Destination, Logs, cpu_seconds, peer, say

QUIET_S = 12.0                     # More than the pause between two looks for files.
TIME_OUT_S = 120.0
FLOOR = LIMPET.parent / "tests/log_floor"


def lines(count):
    path = CACHE / f"bench/lines-{count}.log"
    if not path.exists() or path.stat().st_size != 200 * count:
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([FLOOR, "lines", str(count), f"{path}.partial"], check=True)
        os.rename(f"{path}.partial", path)
    return path


def limpet(*settings):
    def command(folder, path, destination):
        config = folder / "limpet.ini"
        config.write_text(f"[agent]\nstate_dir = {folder}/state\nrun_dir = {folder}/run\n"
                          f"[log.bench]\npath = {path}\nstart_at = beginning\n"
                          f"[destination.primary]\nurl = http://127.0.0.1:{destination}\n"
                          "[health]\nlisten =\n[self]\ninterval = 0\n")
        return [LIMPET, "run", "-c", config, *(part for one in settings for part in ("--set", one))]
    return command


def collector(processors, exporter=""):
    def command(folder, path, destination):
        config = folder / "otelcol.yaml"
        config.write_text(f"""
extensions: {{file_storage: {{directory: {folder}/state, create_directory: true}}}}
receivers: {{file_log: {{include: [{path}], start_at: beginning, storage: file_storage}}}}
processors: {{batch: }}
exporters: {{otlp_http: {{endpoint: "http://127.0.0.1:{destination}", compression: gzip,
             sending_queue: {{block_on_overflow: true{exporter}}}}}}}
service:
  extensions: [file_storage]
  telemetry: {{metrics: {{level: none}}, logs: {{level: error}}}}
  pipelines: {{logs: {{receivers: [file_log], processors: {processors}, exporters: [otlp_http]}}}}
""")
        return [peer("collector"), "--config", config]
    return command


UIDS, NO_UIDS = "limpet", "limpet, record_uid = false"
CANDIDATES = {
    UIDS: limpet(),
    NO_UIDS: limpet("agent.record_uid=false"),
    "limpet, batches of 256 KiB": limpet("queue.batch_bytes=256KiB", "agent.memory=5MiB"),
    "limpet, compression = none": limpet("destination.primary.compression=none"),
    "limpet, durability = always": limpet("spool.durability=always"),
    "Collector": collector("[]"),
    "Collector, batch": collector("[batch]"),
    "Collector, batch, in order": collector("[batch]", ", num_consumers: 1"),
}


def verdict(destination, count, floor):
    """What has arrived of so many lines; the batches go to `floor` as they were before compression."""
    arrived = bytearray(count + 1)
    newest = misplaced = other = requests = out = 0
    number_of = re.compile(r"line (\d+) ").match
    with open(floor, "wb") as batches:
        for packed, body in destination.bodies():
            plain = gzip.decompress(body) if packed else body
            batches.write(struct.pack("<I", len(plain)) + plain)
            requests, out = requests + 1, out + len(body)
            for record in Logs.items(Logs.type.FromString(plain)):
                match = number_of(record.body.string_value)
                number = int(match[1]) if match else 0
                if not 0 < number <= count or len(record.body.string_value) != 199:
                    other += 1
                    continue
                arrived[number] = min(arrived[number] + 1, 255)
                misplaced += number < newest
                newest = max(newest, number)
    once = arrived.count(1)
    missing = arrived.count(0) - 1
    return {"missing": missing, "repeated": count - missing - once, "misplaced": misplaced, "other": other,
            "requests": requests, "bytes": out}


def measure(command, path, count, with_floor):
    with tempfile.TemporaryDirectory(prefix="log-load-") as folder:
        folder = pathlib.Path(folder)
        destination = Destination(Logs, folder)
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen([str(part) for part in command(folder, path, destination.port)],
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            started = time.monotonic()
            while (state := destination.ask("state"))[1] < QUIET_S or not state[0]:
                if time.monotonic() - started > TIME_OUT_S or process.poll() is not None:
                    raise RuntimeError("it does not come to an end" if process.poll() is None else "it has ended")
                time.sleep(0.1)
            seconds = time.monotonic() - started - state[1]
            cpu = cpu_seconds(process.pid)
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            found = verdict(destination, count, folder / "batches")
            floor = 0.0
            if with_floor:
                done = subprocess.run([FLOOR, "deflate", folder / "batches"], capture_output=True, text=True,
                                      check=True)
                floor = float(done.stdout.split()[0])
        except (OSError, RuntimeError) as error:
            text = (folder / "log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{error}\n{text}") from None
        finally:
            process.kill()
            process.wait()
            destination.close()
    return found | {"cpu": cpu, "seconds": seconds, "floor": floor,
                    "rss": int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=1, help="the least CPU of so many is taken")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CANDIDATES))
    options = parser.parse_args()
    names = options.names or list(CANDIDATES)
    path = lines(options.lines)
    path.read_bytes()  # In the page cache, for all of them.
    rows = {}
    for _ in range(options.runs):
        for name in names:
            say(name)
            try:
                got = measure(CANDIDATES[name], path, options.lines,
                              name.startswith("limpet") and "none" not in name)
            except RuntimeError as error:
                say(f"{name}: {error}")
                continue
            if name not in rows or got["cpu"] < rows[name]["cpu"]:
                rows[name] = got
    print(f"{options.lines} lines of 200 bytes, from the beginning of one file:\n")
    print("| program | CPU | lines per CPU second | of what deflate alone allows | peak RSS | missing | repeated | "
          "out of order | requests | bytes a line |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name, row in rows.items():
        share = f"{100 * row['floor'] / row['cpu']:.0f} %" if row["floor"] and row["cpu"] else ""
        print(f"| {name} | {row['cpu']:.2f} s | {options.lines / max(row['cpu'], 0.01):,.0f} | {share} | {row['rss']:.1f} MiB "
              f"| {row['missing']} | {row['repeated']} | {row['misplaced']} | {row['requests']} "
              f"| {row['bytes'] / options.lines:.1f} |")
    peers = [row["cpu"] for name, row in rows.items() if name.startswith("Collector")]
    for name, least in ((NO_UIDS, 2.5), (UIDS, 2.0)):
        if name in rows and peers:
            print(f"\n{name}: {min(peers) / max(rows[name]['cpu'], 0.01):.2f} times the lines per CPU second of the best "
                  f"Collector (at least {least} wanted)")
    wrong = [name for name, row in rows.items() if name.startswith("limpet")
             and (row["missing"] or row["repeated"] or row["misplaced"] or row["other"])]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
