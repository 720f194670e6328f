"""Writes the inputs that a fuzzer begins with: small and valid, each of another kind.

usage: fuzz_seeds.py NAME FOLDER    for tests/fuzz_NAME.cc, into FOLDER
"""

import gzip
import json
import pathlib
import struct
import sys
import zlib

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ROOT = pathlib.Path(__file__).parents[1]
T = 1_700_000_000_000_000_000

ATTRIBUTES = [
    {"key": "s", "value": {"stringValue": "text \u00e9\U0001f41a"}},
    {"key": "b", "value": {"boolValue": True}},
    {"key": "i", "value": {"intValue": "-9223372036854775808"}},
    {"key": "d", "value": {"doubleValue": -1.5e-7}},
    {"key": "y", "value": {"bytesValue": "AAH/"}},
    {"key": "a", "value": {"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "2"}]}}},
    {"key": "k", "value": {"kvlistValue": {"values": [{"key": "n", "value": {"kvlistValue": {}}}]}}},
]
SCOPE = {"name": "scope", "version": "1", "attributes": ATTRIBUTES[:2], "droppedAttributesCount": 1}
RESOURCE = {"attributes": ATTRIBUTES, "droppedAttributesCount": 2}
POINT = {"attributes": ATTRIBUTES[:3], "startTimeUnixNano": str(T), "timeUnixNano": str(T + 10**9)}
EXEMPLARS = [{"filteredAttributes": ATTRIBUTES[:1], "timeUnixNano": str(T), "asInt": "7",
              "spanId": "0102030405060708", "traceId": "0102030405060708090a0b0c0d0e0f10"}]

LOGS = {"resourceLogs": [{"resource": RESOURCE, "schemaUrl": "https://r", "scopeLogs": [
    {"scope": SCOPE, "schemaUrl": "https://s", "logRecords": [
        {"timeUnixNano": str(T), "observedTimeUnixNano": str(T + 1), "severityNumber": 9,
         "severityText": "INFO", "body": {"stringValue": "started"}, "attributes": ATTRIBUTES,
         "droppedAttributesCount": 3, "flags": 1, "traceId": "0102030405060708090a0b0c0d0e0f10",
         "spanId": "0102030405060708", "eventName": "event"},
        {"body": {"kvlistValue": {"values": ATTRIBUTES}}}]}]}]}
TRACES = {"resourceSpans": [{"resource": RESOURCE, "scopeSpans": [{"scope": SCOPE, "spans": [
    {"traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": "0102030405060708", "traceState": "a=b",
     "parentSpanId": "0807060504030201", "flags": 257, "name": "GET /", "kind": 2,
     "startTimeUnixNano": str(T), "endTimeUnixNano": str(T + 5), "attributes": ATTRIBUTES,
     "events": [{"timeUnixNano": str(T + 1), "name": "e", "attributes": ATTRIBUTES[:1]}],
     "links": [{"traceId": "100f0e0d0c0b0a090807060504030201", "spanId": "0807060504030201",
                "traceState": "c=d", "attributes": ATTRIBUTES[1:2], "flags": 1}],
     "status": {"code": 2, "message": "failed"}}]}]}]}


def metrics():
    kinds = {
        "gauge": {"dataPoints": [{**POINT, "asDouble": 0.5, "exemplars": EXEMPLARS}, {**POINT, "flags": 1}]},
        "sum": {"dataPoints": [{**POINT, "asInt": "12"}], "aggregationTemporality": 2, "isMonotonic": True},
        "histogram": {"aggregationTemporality": 1, "dataPoints": [
            {**POINT, "count": "3", "sum": 4.5, "bucketCounts": ["1", "2", "0"], "min": 1.0, "max": 2.0,
             "explicitBounds": [1.0, 2.5], "exemplars": EXEMPLARS}]},
        "exponentialHistogram": {"aggregationTemporality": 2, "dataPoints": [
            {**POINT, "count": "4", "sum": 1.0, "scale": -2, "zeroCount": "1", "zeroThreshold": 0.1,
             "positive": {"offset": -3, "bucketCounts": ["1", "0", "300"]},
             "negative": {"offset": 2, "bucketCounts": ["2"]}}]},
        "summary": {"dataPoints": [{**POINT, "count": "2", "sum": 3.0, "quantileValues": [
            {"quantile": 0.0, "value": 1.0}, {"quantile": 1.0, "value": 2.0}]}]},
    }
    for kind, data in kinds.items():
        yield {"resourceMetrics": [{"resource": RESOURCE, "scopeMetrics": [{"scope": SCOPE, "metrics": [
            {"name": kind, "description": "d", "unit": "1", kind: data, "metadata": ATTRIBUTES[:1]}]}]}]}


def requests():
    """(signal, OTLP JSON, protobuf) of each; ids are hex in the first."""
    kinds = [("logs", ExportLogsServiceRequest, LOGS), ("traces", ExportTraceServiceRequest, TRACES),
             *(("metrics", ExportMetricsServiceRequest, one) for one in metrics())]
    for signal, kind, one in kinds:
        yield signal, json.dumps(one), json_format.ParseDict(base64_ids(one), kind()).SerializeToString()


def base64_ids(value):
    """The same, ids as the JSON of protobuf has them."""
    if isinstance(value, list):
        return [base64_ids(one) for one in value]
    if not isinstance(value, dict):
        return value
    ids = {"traceId", "spanId", "parentSpanId"}
    return {key: json_format.base64.b64encode(bytes.fromhex(one)).decode() if key in ids
            else base64_ids(one) for key, one in value.items()}


def config():
    for path in [*ROOT.glob("config/*.ini"), *ROOT.glob("examples/**/*.ini")]:
        yield path.read_bytes()
    yield b"[destination.a]\nurl = http://127.0.0.1:1\n"


def walk():
    """A byte that chooses the signal, and the request."""
    for signal, _, message in requests():
        yield bytes([["metrics", "logs", "traces"].index(signal)]) + message


def json_():
    """The same of JSON, with and without blanks."""
    for signal, text, _ in requests():
        yield bytes([["metrics", "logs", "traces"].index(signal)]) + text.encode()
        yield bytes([["metrics", "logs", "traces"].index(signal)]) + json.dumps(
            json.loads(text), indent=1).encode()


def proc():
    """A byte that chooses the parser, as in the table of fuzz_proc.cc, and a file of a host."""
    parsers = {0: "proc/stat", 1: "proc/meminfo", 2: "proc/**/net/dev", 3: "proc/diskstats", 4: "sys/**/size",
               5: "proc/vmstat", 6: "proc/swaps", 7: "proc/loadavg", 8: "proc/pressure/*", 9: "etc/os-release",
               10: "*/**/machine-id", 11: "sys/devices/system/cpu/*/*/*", 12: "proc/**/net/tcp*",
               13: "proc/[0-9]*/[a-z]*", 14: "etc/passwd", 15: "proc/[0-9]*/stat", 16: "proc/*/mountinfo"}
    for number, pattern in parsers.items():
        for path in ROOT.glob("tests/data/proc/*/" + pattern):
            if path.is_file():
                yield bytes([number]) + path.read_bytes()[:16384]
    for number, pattern in {10: "proc/device-tree/*", 12: "proc/**/net/tcp*", 15: "proc/**/net/[tu]*"}.items():
        for path in ROOT.glob("tests/data/proc/*/" + pattern):
            yield bytes([number]) + path.read_bytes().splitlines(True)[-1]
    yield bytes([10]) + b"0e3a1f6c-8d2b-4c55-9a10-5b1c2d3e4f50\n"
    yield bytes([15]) + b"7 (a-long-name-is-) S 1 7 7 0 -1 0 1 0 2 0 3 4 0 0 20 0 1 0 100 0 0\n"


def http():
    """Scripts of fuzz_http.cc: a client dials, what it says comes in pieces, the server is run between them."""
    for number, text in enumerate(conversations()):
        client, size = number % 6, 16 + 37 * number % 240
        script = bytes([client, 0xff])
        for at in range(0, len(text), size):
            piece = text[at:at + size]
            script += bytes([42 + client, len(piece)]) + piece + bytes([36])
        yield script + bytes([36, 36, 24 + client, 5, 30, number % 2, 36, 12 + client, 36])


def conversations():
    for path in "/v1/logs", "/later", "/no":
        for _, text, message in requests():
            head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/"
            for kind, body in ("x-protobuf", message), ("json", text.encode()):
                yield f"{head}{kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
            packed = gzip.compress(message, mtime=0)
            half = len(packed) // 2
            yield (f"{head}x-protobuf\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
                   + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (packed[:half], packed[half:]))
                   + b"0\r\n\r\n")
    yield b"POST /v1/logs HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx" * 2
    yield b"POST /v1/logs HTTP/1.0\r\nAuthorization: Bearer x\r\nConnection: keep-alive\r\n\r\n"
    yield b"GET /health?a=b HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\nConnection: close\r\n\r\n"


def gzip_():
    """Two bytes that choose the room; then a member, a bare stream, or what is to be packed."""
    for text in [b"", b"a", b"limpet " * 40, bytes(range(256)), *(message for _, _, message in requests())]:
        room = struct.pack("<H", min(4 * len(text) + 64, 60000))
        yield room + gzip.compress(text, mtime=0)
        yield room + gzip.compress(text, 1, mtime=0) + gzip.compress(text, 0, mtime=0)
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        yield room + packer.compress(text) + packer.flush()
        yield room + text


def sys_():
    """A byte that chooses; a file of /sys, or names, an empty line, and texts."""
    for text in "48312", "-273150", "0x01 0x0b", "0-3,8", "temp12_input", "pwm1", "temp":
        yield b"\0" + text.encode() + b"\n"
    groups = [
        "thermal_zone0 thermal_zone12 temp trip_point_0_temp trip_point_1_temp",
        "hwmon0 hwmon1 name temp1_input temp1_label temp1_max temp1_crit in0_input in0_min fan1_input "
        "fan1_max pwm1 power1_average power1_input energy1_input device",
        "BAT0 usb type status health capacity technology time_to_empty_now time_to_full_avg power_now "
        "current_now voltage_now online temp energy_full_design charge_full_design",
        "mmcblk0 mmcblk0p1 sda nvme0 nvme0n1 ubi0 mtd3 size state life_time pre_eol_info ro_mode max_ec "
        "bad_blocks ecc_failures corrected_bits"]
    texts = ["1", "48312", "gone", "critical", "passive", "Battery", "USB", "Charging", "Discharging", "Good",
             "0x01", "0x01 0x02", "running", "live", "nand", "chip", "../../a.0"]
    for number, names in enumerate(groups, 1):
        for shift in range(0, len(texts), 3):
            yield bytes([number]) + "\n".join(names.split() + [""] + texts[shift:] + texts[:shift]).encode()


def textfile():
    """Each kind of metric, and what may stand around them."""
    for kind in "counter", "gauge", "untyped":
        yield f'# HELP m text\n# TYPE m {kind}\nm{{a="b",c="\\\\\\"\\n",}} +Inf\nm NaN\n'.encode()
    yield (b'# TYPE h histogram\n' + b''.join(
        b'h_bucket{a="%d",le="0.5"} 1\nh_bucket{a="%d",le="+Inf"} 3\nh_sum{a="%d"} 4.5\nh_count{a="%d"} 3\n'
        % (n, n, n, n) for n in range(2)))
    yield b'# TYPE s summary\ns{quantile="0.5"} 1\ns{quantile="0.99"} NaN\ns_sum 2e3\ns_count 7\nx:y 1\n\n# EOF\n'


def lines():
    """A byte that chooses the parser, as in the table of fuzz_lines.cc, one for the memory; then a line."""
    for text in (
            {"time": "2024-01-02T03:04:05.678Z", "level": "info", "message": "a\tb \u00e9", "a": 1,
             "b": [1, "x", None]},
            {"time": 1700000000123, "level": 30, "message": {"a": [True, 1.5e9]},
             "o": {"p": {"q": -1}}, "n": None},
            {"m": {"m": {"m": "text"}}, "t": {"s": "02/Jan/24 03:04:05", "x": 1}, "l": {"v": "E"}, "t.s": 1}):
        yield b"\0\xff" + json.dumps(text).encode()
        yield b"\1\xff" + json.dumps(text, ensure_ascii=False).encode()
    yield b"\0\x10" + b'{"a":"\\ud83d\\ude00\\ud800","a":"\xff","b\\n":{"c":[{"d":{}}]}}'
    yield b'\2\xfftime=2024-01-02T03:04:05Z level=warn message="a \\"b\\"" x=y flag a=1 a=2'
    for text in (
            b"<34>Oct 11 22:14:15 mymachine su[42]: text", b"Nov  2 2024 03:04:05.1: %SYS-5-A: text",
            b"<30>2024-01-02T03:04:05.6+01:00 host app[1]: text", b"<14>1 - - - - - - x",
            b'<165>1 2003-10-11T22:14:15.003Z h a 1 m [i@1 p="v\\"\\]" q=""][origin ip="::1"] '
            b'\xef\xbb\xbftext'):
        yield b"\3\xff" + text
    yield b"\4\xff2024-01-02T03:04:05.123456789Z stdout P:x text"
    yield b'\4\x40' + b'{"log":"{\\"a\\":1}\\r\\n","stream":"stderr","attrs":{"k":["v"]}}'
    for form, text in (("auto", "1700000000.5"), ("%a, %d %b %Y %T %Z", "Tue, 02 Jan 2024 03:04:05 GMT"),
                       ("%y%j %I:%M %p %z", "24001 12:30 PM +0130"), ("%s.%f", "1700000000.25"),
                       ("%e %B %R", "29 February 03:04"),
                       ("[%D%n%H]%%", "[01/02/24 03]%"), ("%T,%L", "03:04:05,1")):
        yield b"\5\0" + form.encode() + b"\n" + text.encode()


def syslog():
    """A byte that chooses between a stream and a record of the kernel's log, one for its pieces."""
    for stream in (b"<34>one\n<34>two\r\n\n\0<34>three", b"7 <34>one11 <34>two\nxyz\n3 abc<34>line\n",
                   b"5 apples\n2024-01-01 text\n", b"7 <34>one90 <34>" + b"x" * 100, b"<34>" + b"y" * 120 + b"\nz\n"):
        yield b"\0\3" + stream
    yield (b"\1\0" + b"6,339,5140900,-,caller=T1;pci: \\x0a\\xc3 reg\n SUBSYSTEM=pci\n"
           b" DEVICE=+pci:0000\\x20:00\n X=1\n")


def journal():
    """Where to begin; a file with a few entries: regular and compact, fields as they are, and compressed."""
    lz4 = struct.pack("<Q", 50) + b"\x5fAB=cd\x01\x00\x14\x50ddddd"
    zstd = b"\x28\xb5\x2f\xfd\x20\x09\x49\x00\x00MESSAGE=z"
    rows = [[(0, b"MESSAGE=hello"), (0, b"PRIORITY=3"), (0, b"_PID=12"), (0, b"A=1"), (0, b"A=2")],
            [(2, lz4), (4, zstd), (1, b"\xfd7zXZ")],
            [(0, b"MESSAGE=\xff\xe2\x82"), (0, b"B=" + b"b" * 600)],
            [(0, b"_SOURCE_REALTIME_TIMESTAMP=1700000000000000"), (0, b"_SYSTEMD_UNIT=a")],
            [(0, b"C=\0")]]
    for compact in False, True:
        file = bytearray(b"LPKSHHRH" + bytes(264))
        struct.pack_into("<II", file, 8, 0, 31 if compact else 15)
        file[24:40], file[72:88] = b"f" * 16, b"s" * 16
        item = "<I" if compact else "<Q"

        def add(kind, flags, rest):
            file.extend(bytes(-len(file) % 8))
            at = len(file)
            file.extend(struct.pack("<BB6xQ", kind, flags, 16 + len(rest)) + rest)
            return at

        def array(entries):
            return add(6, 0, bytes(8) + b"".join(struct.pack(item, at) for at in entries))
        entries = []
        for number, fields in enumerate(rows, 1):
            data = [add(1, flags, bytes(56 if compact else 48) + text) for flags, text in fields]
            items = b"".join(struct.pack(item, at) + (b"" if compact else bytes(8)) for at in data)
            entries.append(add(3, 0, struct.pack("<QQQ", number, T // 1000 + number, number) + b"b" * 16 + bytes(8)
                               + items))
        first = array(entries[:2])
        struct.pack_into("<Q", file, first + 16, array(entries[2:]))
        file.extend(bytes(-len(file) % 8))
        struct.pack_into("<QQ", file, 88, 272, len(file) - 272)
        struct.pack_into("<QQQQQ", file, 152, len(entries), len(entries), 1, first, T // 1000)
        yield b"\0" + bytes(file)
        yield b"\2" + bytes(file)


def records():
    """A byte that chooses, as in fuzz_records.cc; max_line and a file, or a pattern and a text."""
    for multiline in range(3):
        yield bytes([multiline, 20]) + b"#a\n b\n\nc\r\n#" + b"x" * 50 + b"\nlast"
        yield bytes([3 + multiline, 20]) + b"".join(
            b"2024-01-02T03:04:05.6Z %s %s text\n" % row for row in (
                (b"stdout", b"F"), (b"stdout", b"P"), (b"stdout", b"F"), (b"stderr", b"P")))
        yield bytes([6 + multiline, 20]) + b"".join(
            b'{"log":"%s","stream":"stdout","time":"2024-01-02T03:04:05.6Z"}\n' % text
            for text in (b"a\\n", b"long, long, long", b" text\\n", b" \\u00e9\\n"))
    for pattern in (b"(?i)pass(?:word)?=\\S+", b"(a+)+$", b"[^]a-z]{2,}?(?<n>x)\\k<n>", b"(?<=b)a|^$", b"\xc3\xa4."):
        yield b"\x09" + pattern + b"\nb password=x aaaa \xc3\xa4\xf0\x9f\x92\xa9 !!xx"


def main():
    name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    seeds = {"config": config, "gzip": gzip_, "http": http, "journal": journal, "json": json_, "lines": lines,
             "proc": proc, "records": records, "sys": sys_, "syslog": syslog, "textfile": textfile, "walk": walk}
    for number, seed in enumerate(seeds.get(name, lambda: [])()):
        (folder / str(number)).write_bytes(seed)


main()
