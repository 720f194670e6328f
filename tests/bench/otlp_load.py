#!/usr/bin/env python3
"""What it costs to take OTLP in and to hand it on: limpet beside Rotel, the Collector, and the floor.

usage: otlp_load.py [--requests 10000] [--items 100] [--signals logs,metrics] [--callgrind] [NAME...]

Each candidate gets the same requests (gzip at level 6, as SDKs send them) over 4 kept-alive connections and
delivers to the same endpoint, which answers at once; what it got is decoded after the run. CPU is that of
the candidate's process, user and system, until nothing has arrived for 2 seconds. Every item has a
number, so the endpoint can say whether all arrived, once, and in the order of their connection; one in a
hundred is compared field by field. Prints a table in Markdown.

Run it by the Python of the cache, ~/.cache/limpet/venv/bin/python. LIMPET names the program, build/
x86_64-linux-musl/limpet without it; the endpoint and the floor are the targets otlp_sink and otlp_floor of the
same build folder. The other candidates come from tools/peers. The load is kept in the cache: 45 MB.

--callgrind shows instead where limpet's instructions go: 600 requests unless said, by valgrind, of
limpet.debug. The kernel's part is not in it: strace -f -c counts its calls.
"""

import argparse
import collections
import gzip
import hashlib
import os
import pathlib
import random
import re
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

SOURCE = pathlib.Path(__file__).parents[2]
CACHE = pathlib.Path(os.environ.get("LIMPET_CACHE")
                     or pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "limpet")
LIMPET = pathlib.Path(os.environ.get("LIMPET", SOURCE / "build/x86_64-linux-musl/limpet"))
CONNECTIONS = 4
T0 = 1_700_000_000_000_000_000
STEP = 1_000_000                   # An item's number is in its time.
QUIET_S = 2.0


# The load.

def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, content):
    """A length-delimited field."""
    if isinstance(content, str):
        content = content.encode()
    return varint(number << 3 | 2) + varint(len(content)) + content


def attribute(number, key, value):
    value = field(1, value) if isinstance(value, str) else b"\x18" + varint(value)
    return field(number, field(1, key) + field(2, value))


WORDS = """accepted account active address after agent alarm answer array backup battery before block buffer
cache channel checked client closed cold command commit config connected control cooling counter created
current cycle damaged data deadline default delayed deleted device disk done door drive empty engine error
event expected failed fan fault field file filter finished flow frame full gateway group handler heater high
host idle index input invalid item job key label late level limit line link list loaded local lock lost low
machine main maximum measured memory message minimum missing mode motor moved network node normal object
offline open operation order output packet page parsed path pending phase pipe point port position power
pressure printed process profile program pump queue rate reached read ready received record reduced refused
register released remote removed request reset response restarted retry returned route running sample saved
scheduled section segment selected sensor sent server service session shutdown signal size skipped slot slow
source speed stage started state status stopped stored stream switch sync table target task temperature
timeout token total trace unit updated upload user valve value version waiting warm worker written zone
""".split()


TEXTS = """request GET /api/v1/{w}/{n} finished with status 200 in {m} ms, {n} bytes to {i}
request POST /api/v1/{w}s finished with status 201 in {m} ms, {n} bytes from {i}, trace {x}
connection from {i}:{n} to {w}-{w} accepted after {m} ms, {m} connections open, session {x}
connection to {w}.{w}.example closed by peer after {n} ms, {n} bytes sent and {n} received
cache {w}: {n} hits, {m} misses, {n} entries, {m} of them evicted since the last report
sensor {w}-{m} reads {m}.{m} degrees, set point is {m}.{m}, valve {w} at {m} percent
job {x} of queue {w} started by worker {m}, waited {n} ms, attempt {m} with limit {m}
job {x} of queue {w} finished in {n} ms with result {w}, next run planned in {n} seconds
cannot reach {w}.{w}.example at {i}: time-out after {n} ms, trying again in {m} seconds
user u{n} changed {w} of device {x} from {w} to {w}, confirmed by {w} service after {m} ms
table {w}_{w}: {n} rows read, {m} rows written in {m} ms, lock held for {m} ms by session {x}
batch {x} with {m} items and {n} bytes handed to {w} exporter, {m} batches wait, oldest for {n} ms
configuration key {w}.{w} has the new value {n}, read from /etc/{w}/{w}.conf line {m}, was {n}
message {x} from topic plant/{w}/{w} with {n} bytes decoded in {m} us, quality is {w}, sequence {n}
token of client {x} expires in {n} seconds, renewed for scope {w}:{w} by {i} after {m} ms
disk {w} has {n} MiB free of {n} MiB, {m} reads and {m} writes a second, queue of {m}, health {w}
""".splitlines()


def numbers(seed):
    """Numbers below 2^64, always the same for a seed."""
    mask = 2**64 - 1
    while True:
        seed = seed + 0x9e3779b97f4a7c15 & mask
        z = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9 & mask
        z = (z ^ z >> 27) * 0x94d049bb133111eb & mask
        yield z ^ z >> 31


class Logs:
    """Log records of 200 bytes."""

    name, path, type = "logs", "/v1/logs", ExportLogsServiceRequest

    def __init__(self):
        source = random.Random(1)
        self.texts = [re.split(r"\{(.)\}", text) for text in TEXTS]
        self.slots = {
            "w": WORDS * 3,
            "n": [str(source.randrange(10 ** source.choice((3, 4, 5)))) for _ in range(1021)],
            "m": [str(source.randrange(100)) for _ in range(1019)],
            "x": [f"{source.randrange(2**32):08x}" for _ in range(4093)],
            "i": [f"10.{source.randrange(4)}.{source.randrange(256)}.{source.randrange(256)}" for _ in range(509)]}
        self.severities = [(b"\x10\x09" + field(3, "INFO"))] * 8 + [
            (b"\x10\x0d" + field(3, "WARN")), (b"\x10\x11" + field(3, "ERROR"))]
        self.threads = [attribute(6, "thread", f"worker-{i}") for i in range(16)]
        self.loggers = [attribute(6, "logger", f"app.{source.choice(WORDS)}") for i in range(40)]
        self.lines = [attribute(6, "line", source.randrange(1, 2000)) for i in range(200)]
        self.users = [attribute(6, "user.id", f"u{source.randrange(10**8):08}") for i in range(1000)]

    def item(self, number):
        """A LogRecord."""
        draws = numbers(number)
        draw = next(draws)
        parts = list(self.texts[draw & 15])
        other = next(draws)
        for at in range(1, len(parts), 2):
            of = self.slots[parts[at]]
            parts[at] = of[other % len(of)]
            other = other // 7 ^ draw
        now = T0 + number * STEP
        out = (b"\x09" + struct.pack("<Q", now) + self.severities[(draw >> 26) % 10]
               + field(5, field(1, "".join(parts)))
               + self.threads[draw >> 30 & 15] + self.loggers[(draw >> 34) % 40] + self.lines[(draw >> 40) % 200])
        if number % 4 == 0:
            out += self.users[(draw >> 50) % 1000]
        if number % 5 == 0:
            out += field(9, struct.pack("<QQ", draw, other)) + field(10, struct.pack("<Q", next(draws)))
        return out + b"\x59" + struct.pack("<Q", now + 40_000)

    def scope(self, first, count):
        return b"".join(field(2, self.item(number)) for number in range(first, first + count))

    @staticmethod
    def items(message):
        for resource in message.resource_logs:
            for scope in resource.scope_logs:
                for record in scope.log_records:
                    yield record


class Metrics:
    """Data points of 90 bytes, 10 of one metric, sums and gauges in turn."""

    name, path, type = "metrics", "/v1/metrics", ExportMetricsServiceRequest

    def __init__(self):
        source = random.Random(2)
        word = lambda: source.choice(WORDS)
        self.first = [attribute(7, "device.name", f"{word()}-{i}") for i in range(10)]
        self.second = [attribute(7, "state", word()) for i in range(7)]
        self.third = [attribute(7, "zone", f"{word()}") for i in range(5)]
        self.names = [f"{word()}.{word()}.{word()}" for _ in range(24)]

    def item(self, number):
        """A NumberDataPoint."""
        draw = next(numbers(number))
        out = self.first[number % 10] + self.second[number // 10 % 7]
        if number % 2:
            out += self.third[number // 70 % 5]
        out += b"\x11" + struct.pack("<Q", T0) + b"\x19" + struct.pack("<Q", T0 + number * STEP)
        if number // 10 % 2:
            return out + b"\x21" + struct.pack("<d", (draw >> 40) / 1000)
        return out + b"\x31" + struct.pack("<q", number * 13 + (draw & 0xfff))

    def scope(self, first, count):
        out = []
        for start in range(first, first + count, 10):
            points = b"".join(field(1, self.item(number)) for number in range(start, min(start + 10, first + count)))
            kind = field(5, points) if start // 10 % 2 else field(7, points + b"\x10\x02\x18\x01")
            out.append(field(2, field(1, self.names[start // 10 % 24]) + field(3, "By") + kind))
        return b"".join(out)

    @staticmethod
    def items(message):
        for resource in message.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in getattr(metric, metric.WhichOneof("data")).data_points:
                        yield point


def request(signal, index, count):
    """The bytes of an export request, as an SDK of the connection's program makes it."""
    connection = index % CONNECTIONS
    resource = b"".join(attribute(1, key, value) for key, value in {
        "service.name": f"program-{connection}", "service.instance.id": f"{connection:08x}-7d1e-4c8e-9b1f-2f1c",
        "host.name": "gateway-17", "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.language": "python", "telemetry.sdk.version": "1.45.2"}.items())
    scope = field(1, field(1, "program.main") + field(2, "1.0"))
    return field(1, field(1, resource) + field(2, scope + signal.scope(index * count, count)))


def load(signal, requests, count):
    """The file of the load: for each request its connection, its length, both 32 bits, and its bytes."""
    made_by = pathlib.Path(__file__).read_text(encoding="utf-8").split("# The load.")[1].split("def load(")[0]
    key = hashlib.sha256(f"{requests} {count} {made_by}".encode()).hexdigest()[:12]
    path = CACHE / f"bench/otlp-{signal.name}-{requests}x{count}-{key}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in path.parent.glob(f"otlp-{signal.name}-{requests}x{count}-*"):
            old.unlink()
        raw = packed = 0
        with open(f"{path}.partial", "wb") as file:
            for index in range(requests):
                plain = request(signal, index, count)
                body = gzip.compress(plain, 6, mtime=0)
                raw, packed = raw + len(plain), packed + len(body)
                file.write(struct.pack("<II", index % CONNECTIONS, len(body)) + body)
        os.rename(f"{path}.partial", path)
        say(f"{signal.name}: {raw / requests / count:.0f} bytes an item, {packed / requests / count:.0f} packed")
    return path


def say(*words):
    print(*words, file=sys.stderr, flush=True)


# The endpoint, otlp_sink.

class Destination:
    """Keeps what it is sent; says how far it is, and what was in it."""

    def __init__(self, signal, folder):
        self.signal, self.file = signal, folder / "dump"
        self.process = subprocess.Popen([LIMPET.parent / "tests/otlp_sink"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def ask(self, question):
        """(requests, seconds since the last)."""
        print(question, file=self.process.stdin, flush=True)
        count, quiet = self.process.stdout.readline().split()
        return int(count), float(quiet)

    def close(self):
        self.process.kill()
        self.process.wait()

    def bodies(self):
        """(whether it is gzip, bytes) of each request."""
        self.ask(f"dump {self.file}")
        data, at = self.file.read_bytes(), 0
        while at < len(data):
            packed, size = struct.unpack_from("<BI", data, at)
            yield packed, data[at + 5:at + 5 + size]
            at += 5 + size

    def verdict(self, total, count):
        """What arrived of `total` items sent in requests of `count`."""
        signal = self.signal()
        arrived = bytearray(total)
        newest = [-1] * CONNECTIONS
        misplaced = wrong = requests = out = 0
        for packed, body in self.bodies():
            requests, out = requests + 1, out + len(body)
            plain = gzip.decompress(body) if packed else body
            for item in signal.items(signal.type.FromString(plain)):
                number, rest = divmod(item.time_unix_nano - T0, STEP)
                if rest or not 0 <= number < total:
                    continue       # The candidate's own.
                arrived[number] = min(arrived[number] + 1, 255)
                connection = number // count % CONNECTIONS
                misplaced += number < newest[connection]
                newest[connection] = max(newest[connection], number)
                if number % 100 == 0:
                    wrong += item != type(item).FromString(signal.item(number))
        return {"missing": arrived.count(0), "repeated": total - arrived.count(0) - arrived.count(1),
                "misplaced": misplaced, "wrong": wrong, "requests": requests, "bytes": out}


# The client.

class Client:
    """Sends the load, on each connection one request after the other. What is answered 429 or 503 is sent again."""

    def __init__(self, signal, path, port):
        head = (f"POST {signal.path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: load\r\n"
                "Content-Type: application/x-protobuf\r\nContent-Encoding: gzip\r\nContent-Length: ")
        self.queues = [collections.deque() for _ in range(CONNECTIONS)]
        data, at = path.read_bytes(), 0
        while at < len(data):
            connection, size = struct.unpack_from("<II", data, at)
            self.queues[connection].append(f"{head}{size}\r\n\r\n".encode() + data[at + 8:at + 8 + size])
            at += 8 + size
        self.port = port
        self.again = 0

    def run(self, timeout=180):
        """Returns the seconds it took. RuntimeError: an answer that is none of those."""
        started = time.monotonic()
        poll, connections = select.poll(), {}
        for queue in self.queues:
            connection = socket.create_connection(("127.0.0.1", self.port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connections[connection.fileno()] = [connection, queue, b""]
            poll.register(connection, select.POLLIN)
            connection.sendall(queue[0])
        waiting = []               # (when, descriptor) of those told to come later.
        while connections:
            now = time.monotonic()
            if now - started > timeout:
                raise RuntimeError("too slow")
            for when, number in [one for one in waiting if one[0] <= now]:
                waiting.remove((when, number))
                connections[number][0].sendall(connections[number][1][0])
            for number, _ in poll.poll(20 if waiting else 1000):
                connection, queue, rest = entry = connections[number]
                got = connection.recv(65536)
                if not got:
                    raise RuntimeError("the connection was closed")
                entry[2] = rest = rest + got
                end = rest.find(b"\r\n\r\n")
                if end < 0:
                    continue
                size = re.search(rb"\r\ncontent-length: *(\d+)", rest[:end], re.I)
                if len(rest) < end + 4 + (int(size[1]) if size else 0):
                    continue
                entry[2] = b""
                status = rest[9:12]
                if status in (b"429", b"503"):
                    self.again += 1
                    waiting.append((now + 0.05, number))
                    continue
                if status != b"200":
                    raise RuntimeError(rest[:end].decode("latin-1"))
                queue.popleft()
                if queue:
                    connection.sendall(queue[0])
                else:
                    poll.unregister(connection)
                    connection.close()
                    del connections[number]
        return time.monotonic() - started


# The candidates.

def peer(name):
    done = subprocess.run([SOURCE / "tools/peers", name], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return done.stdout.strip()


def limpet(*settings):
    def command(folder, port, destination):
        config = folder / "limpet.ini"
        config.write_text(f"[agent]\nstate_dir = {folder}/state\nrun_dir = {folder}/run\n[receive.otlp]\n"
                          f"listen = 127.0.0.1:{port}\n[destination.primary]\nurl = http://127.0.0.1:{destination}\n"
                          "[health]\nlisten =\n[self]\ninterval = 0\n")
        return [LIMPET, "run", "-c", config, *(part for one in settings for part in ("--set", one))]
    return command


def collector(folder, port, destination):
    config = folder / "otelcol.yaml"
    config.write_text(f"""
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
processors: {{batch: }}
exporters: {{otlp_http: {{endpoint: "http://127.0.0.1:{destination}", compression: gzip}}}}
service:
  telemetry: {{metrics: {{level: none}}, logs: {{level: error}}}}
  pipelines:
    logs: {{receivers: [otlp], processors: [batch], exporters: [otlp_http]}}
    metrics: {{receivers: [otlp], processors: [batch], exporters: [otlp_http]}}
""")
    return [peer("collector"), "--config", config]


def rotel(folder, port, destination):
    return [peer("rotel"), "start", "--otlp-http-endpoint", f"127.0.0.1:{port}",
            "--otlp-grpc-endpoint", f"127.0.0.1:{free_port()}", "--exporter", "otlp",
            "--otlp-exporter-protocol", "http", "--otlp-exporter-endpoint", f"http://127.0.0.1:{destination}",
            "--otlp-exporter-compression", "gzip"]


CANDIDATES = {
    "limpet": limpet(),
    "limpet, compression = none": limpet("destination.primary.compression=none"),
    "limpet, durability = always": limpet("spool.durability=always"),
    "Rotel": rotel,
    "Collector": collector,
}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# What is done where: a stage is its functions with all that they call, less what follows it there.
STAGES = [
    ("HTTP in", ["HttpServer::OnConnection"], ["OtlpReceiver::OnRequest"]),
    ("inflate", ["GzipDecompressor::Decompress"], []),
    ("validate", ["ValidateExportRequest"], []),
    ("copy into the open batch", ["OtlpReceiver::AppendPart"], []),
    ("deflate", ["GzipCompressor::Compress"], []),
    ("copy into the queue", ["BatchQueue::Push"], []),
    ("HTTP out", ["CurlClient::OnReady", "CurlClient::OnTime"], []),
    ("spool", ["SpoolStore::Run"], []),
]
ALL = ["Runtime::Loop", "WorkerThread::Work"]  # Without the start.


def instructions(path):
    """Of a file of callgrind: by function, without arguments, the instructions of it and of all that it calls."""
    names, found = {}, collections.Counter()
    function, calls = "", False
    for line in path.read_text(errors="replace").splitlines():
        if name := re.match(r"c?fn=\((\d+)\)(?: (.*))?", line):
            if name[2]:
                plain = name[2].replace("(anonymous namespace)::", "").removeprefix("limpet::")
                names[name[1]] = plain.split("(")[0]
            if line[0] == "f":
                function = names[name[1]]
            else:
                callee = names[name[1]]
        elif line.startswith("calls="):
            calls = True
        elif re.match(r"[-+*\d]", line) and len(line.split()) == 2:
            if not calls or callee != function:
                found[function] += int(line.split()[1])
            calls = False
    return found


def print_stages(name, found, total, requests):
    done = {what: sum(found[one] for one in own) - sum(found[one] for one in less) for what, own, less in STAGES}
    everything = sum(found[one] for one in ALL)
    done["everything else"] = everything - sum(done.values())
    print(f"\n| {name}: instructions | an item | a request | |\n|---|---:|---:|---:|")
    for what, count in [*done.items(), ("all", everything)]:
        print(f"| {what} | {count / total:,.0f} | {count / requests:,.0f} | {100 * count / everything:.1f} % |")
    sys.stdout.flush()


def measure(name, command, signal, path, total, count, profile=None):
    """One candidate, one signal: a dictionary of figures. profile: a file for callgrind's, of limpet.debug."""
    with tempfile.TemporaryDirectory(prefix="otlp-load-", dir=os.environ.get("OTLP_LOAD_DIR")) as folder:
        folder, port = pathlib.Path(folder), free_port()
        destination = Destination(signal, folder)
        client = Client(signal(), path, port)
        with open(folder / "log", "wb") as log:
            words = [str(part) for part in command(folder, port, destination.port)]
            if profile:
                words[:1] = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}", f"{LIMPET}.debug"]
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 15
            while time.monotonic() < deadline and process.poll() is None:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    time.sleep(0.05)
            before = cpu_seconds(process.pid)
            seconds = client.run()
            deadline = time.monotonic() + 120
            while (state := destination.ask("state"))[1] < QUIET_S or not state[0]:
                if time.monotonic() > deadline:
                    raise RuntimeError("it does not come to an end")
                time.sleep(0.1)
            cpu = cpu_seconds(process.pid) - before
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            found = destination.verdict(total, count)
        except (OSError, RuntimeError) as error:
            text = (folder / "log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{error}\n{text}") from None
        finally:
            if profile:
                process.terminate()  # Else there is no file.
            else:
                process.kill()
            process.wait()
            destination.close()
        return found | {"cpu": cpu, "seconds": seconds, "again": client.again,
                        "rss": int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024}


def floor(signal, path):
    """[(what, CPU seconds, requests, bytes out)] of otlp_floor."""
    program = LIMPET.parent / "tests/otlp_floor"
    if not program.exists():
        say(f"no floor: build the target otlp_floor in {LIMPET.parent}")
        return []
    lines = subprocess.run([program, path], capture_output=True, text=True, check=True).stdout.splitlines()
    return [(what, float(cpu), int(requests), int(size))
            for what, cpu, requests, size in (line.split("\t") for line in lines)]


def verdict(found):
    said = [f"{found[key]} {key}" for key in ("missing", "repeated", "misplaced", "wrong") if found[key]]
    return ", ".join(said) or "yes"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int)
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--signals", default="logs,metrics")
    parser.add_argument("--callgrind", action="store_true")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CANDIDATES) + "; the beginning is enough")
    options = parser.parse_args()
    options.requests = options.requests or (600 if options.callgrind else 10_000)
    chosen = [name for name in CANDIDATES if not options.names
              or any(name.lower().startswith(one.lower()) for one in options.names)]
    total = options.requests * options.items
    for signal in (Logs, Metrics):
        if signal.name not in options.signals.split(","):
            continue
        path = load(signal(), options.requests, options.items)
        for name in chosen if options.callgrind else []:
            if not name.startswith("limpet"):
                continue
            with tempfile.NamedTemporaryFile() as profile:
                measure(name, CANDIDATES[name], signal, path, total, options.items, profile.name)
                found = instructions(pathlib.Path(profile.name))
            print_stages(f"{name}, {signal.name}", found, total, options.requests)
        if options.callgrind:
            continue
        rows = []
        for name in chosen:
            say(f"{signal.name}: {name}")
            try:
                rows.append((name, measure(name, CANDIDATES[name], signal, path, total, options.items)))
            except RuntimeError as error:
                say(f"{name} IS NOT MEASURED: {error}")
        lowest = floor(signal, path)
        base = next((one["cpu"] for name, one in rows if name == "limpet"), None)
        print(f"\n{total:,} {'log records' if signal is Logs else 'data points'} in {options.requests:,} requests, gzip, "
              f"{CONNECTIONS} connections\n")
        print("| | items per CPU second | CPU s | limpet is | peak RSS MiB | complete and in order | requests out | MB out | wall s | told to wait |")
        print("|---|---:|---:|---:|---:|---|---:|---:|---:|---:|")
        for name, one in rows:
            ratio = f"{one['cpu'] / base:.2f} ×" if base else ""
            print(f"| {name} | {total / one['cpu']:,.0f} | {one['cpu']:.2f} | {ratio} | {one['rss']:.1f} | {verdict(one)} "
                  f"| {one['requests']:,} | {one['bytes'] / 1e6:.1f} | {one['seconds']:.1f} | {one['again']} |")
        for what, cpu, requests, size in lowest:
            ratio = f"{cpu / base:.2f} ×" if base else ""
            print(f"| floor: {what} | {total / cpu:,.0f} | {cpu:.2f} | {ratio} | | | {requests:,} | {size / 1e6:.1f} | | |")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
