"""[receive.otlp] as programs meet it: every way to say HTTP, what arrives, and clients that mean no good."""

import json
import os
import random
import signal
import socket
import ssl
import stat
import threading
import time

import pytest
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

import otlp_random
from endpoint import Answer, Endpoint
from limpet import FAST, free_port, until
from otlp_client import JSON, PROTOBUF, Client, request

# Batches that hold any request whole.
LARGE = ("agent.memory=16MiB", "queue.batch_items=1000000", "queue.batch_bytes=512KiB", "queue.batch_delay=10ms")


def items(message):
    """Data points, log records or spans of a request."""
    found = 0
    for field, value in message.ListFields():
        if field.name in ("data_points", "log_records", "spans"):
            found += len(value)
        elif field.message_type:
            found += sum(map(items, value if field.is_repeated else [value]))
    return found


def logs(*numbers, text="hello"):
    """A request of log records with these numbers."""
    message = logs_service_pb2.ExportLogsServiceRequest()
    records = message.resource_logs.add().scope_logs.add().log_records
    for number in numbers:
        record = records.add()
        record.body.string_value = text
        record.attributes.add(key="n").value.int_value = number
    return message


def numbers(requests):
    """Those of all log records that arrived, in order; events of limpet's own have none."""
    return [pair.value.int_value
            for arrived in requests if arrived.signal == "logs"
            for resource in arrived.message.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
            for pair in record.attributes if pair.key == "n"]


@pytest.fixture
def receiving(limpet, endpoint):
    """Starts the program with a receiver: receiving("section.key=value", ...); .address is where."""
    def start(*settings, url=None, **options):
        port = free_port()
        running = limpet(url or endpoint.url, f"receive.otlp.listen=127.0.0.1:{port}", *settings,
                         host=False, **options)
        running.address = ("127.0.0.1", port)
        return running
    return start


def source(running):
    return next(s for s in running.status()["sources"] if s["name"] == "receive.otlp")


# What arrives

@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
@pytest.mark.parametrize("name", otlp_random.REQUESTS)
def test_round_trip(receiving, endpoint, name, content_type):
    """Message equal to message, over every field of the schema."""
    running = receiving(*LARGE)
    rng = random.Random(20)
    whole, arrived = otlp_random.REQUESTS[name](), otlp_random.REQUESTS[name]()
    seen = set()
    with Client(running.address) as client:
        for number in range(500):
            message = otlp_random.request(rng, name)
            body = otlp_random.to_json(message, rng) if content_type == JSON else message.SerializeToString()
            answer = client.post(f"/v1/{name}", body, content_type, gzipped=number % 2 == 1,
                                 chunks=(0, 7, 4096)[number % 3])
            assert answer.status == 200, (answer, body)
            assert answer.headers["content-type"] == content_type
            if items(message) > 0:
                whole.MergeFrom(message)
                seen |= otlp_random.seen(message)
    until(lambda: sum(items(r.message) for r in endpoint.requests if r.signal == name) == items(whole))
    for one in endpoint.requests:
        if one.signal == name:
            arrived.MergeFrom(one.message)
    assert otlp_random.same(arrived, whole)
    assert seen >= otlp_random.reachable(name)


def test_order_and_account(receiving, endpoint):
    """Four clients at the same time: each one's records in order, all of them once, none unaccounted."""
    running = receiving()
    each, clients = 60, 4

    def run(client_number):
        with Client(running.address) as client:
            for n in range(each):
                first = client_number * 1_000_000 + n * 10
                answer = client.post("/v1/logs", logs(*range(first, first + 10)).SerializeToString(),
                                     gzipped=n % 2 == 0)
                assert answer.status == 200
    threads = [threading.Thread(target=run, args=(c,)) for c in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    until(lambda: len(numbers(endpoint.requests)) == each * clients * 10)
    arrived = numbers(endpoint.requests)
    for c in range(clients):
        own = [n for n in arrived if n // 1_000_000 == c]
        assert own == list(range(c * 1_000_000, c * 1_000_000 + each * 10))
    status = running.status()
    assert status["ledger"]["logs"]["collected"] == each * clients * 10
    assert len([r for r in endpoint.requests if r.signal == "logs"]) < each * clients / 5, "they are joined"
    assert source(running)["requests"] == each * clients


def test_unix_socket(limpet, endpoint, folder):
    path = folder / "otlp.sock"
    running = limpet(endpoint.url, f"receive.otlp.listen=unix:{path}", host=False)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    with Client(path) as client:
        assert client.post("/v1/logs", logs(1, 2).SerializeToString()).status == 200
    until(lambda: numbers(endpoint.requests) == [1, 2])
    assert running.stop() == 0
    assert not path.exists()


def test_partial_success(receiving, endpoint):
    running = receiving("queue.batch_bytes=8KiB")
    message = logs(1, 2)
    message.MergeFrom(logs(3, text="x" * 9000))
    message.MergeFrom(logs(4))
    with Client(running.address) as client:
        answer = client.post("/v1/logs", message.SerializeToString())
        assert answer.status == 200
        partial = logs_service_pb2.ExportLogsServiceResponse.FromString(answer.body).partial_success
        assert partial.rejected_log_records == 1 and "batch_bytes" in partial.error_message
        in_json = client.post("/v1/logs", otlp_random.to_json(message), JSON)
        partial = json.loads(in_json.body)["partialSuccess"]
        assert partial["rejectedLogRecords"] == "1" and partial["errorMessage"]
    until(lambda: numbers(endpoint.requests) == [1, 2, 4, 1, 2, 4])
    assert running.status()["ledger"]["logs"]["collected"] == 6


def test_signals_that_nobody_takes(receiving, endpoint):
    running = receiving("destination.primary.signals=metrics")
    with Client(running.address) as client:
        answer = client.post("/v1/logs", logs(1).SerializeToString())
    assert answer.status == 404 and b"no destination" in answer.body


# Every way to say HTTP

def test_ways_of_http(receiving, endpoint):
    running = receiving()
    body = logs(1).SerializeToString()
    with Client(running.address) as client:  # Keep-alive, pipelined, in pieces.
        client.send(request("/v1/logs", body) + request("/v1/logs", body, chunks=3))
        assert [client.reply().status, client.reply().status] == [200, 200]
        for byte in request("/v1/logs?x=1", body, headers=("X-Other: 1",)):
            client.send(bytes([byte]))
        assert client.reply().status == 200
        client.send(request("/v1/logs", body, headers=("Expect: 100-continue",))[:-len(body)])
        assert client.reply().status == 100
        client.send(body)
        assert client.reply().status == 200
    with Client(running.address) as client:
        answer = client.post("/v1/logs", body, version="1.0")
        assert answer.status == 200 and answer.headers["connection"] == "close"
        assert client.closed()
    with Client(running.address) as client:
        client.send(request("/v1/logs", body, version="1.0", headers=("Connection: keep-alive",)) * 2)
        assert [client.reply().status, client.reply().status] == [200, 200]
    until(lambda: len(numbers(endpoint.requests)) == 7)


@pytest.mark.parametrize("name, data, status", [
    ("length and chunks", b"POST /v1/logs HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-protobuf\r\n"
     b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("two lengths", b"POST /v1/logs HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
    ("a negative length", b"POST /v1/logs HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n", 400),
    ("a huge length", b"POST /v1/logs HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-protobuf\r\n"
     b"Content-Length: 99999999999999999999\r\n\r\n", 400),
    ("too long", b"POST /v1/logs HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-protobuf\r\n"
     b"Content-Length: 524289\r\n\r\n", 413),
    ("a large head", b"POST /v1/logs HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 5000 + b"\r\n\r\n", 431),
    ("no host", b"POST /v1/logs HTTP/1.1\r\n\r\n", 400),
    ("another version", b"POST /v1/logs HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ("noise", bytes(range(256)) * 4, 400),
    ("a bad chunk", b"POST /v1/logs HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-protobuf\r\n"
     b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
])
def test_refused_by_the_grammar(receiving, endpoint, name, data, status):
    running = receiving()
    with Client(running.address) as client:
        client.send(data)
        answer = client.reply()
        assert answer is not None and answer.status == status, answer
        assert answer.headers["content-type"] == PROTOBUF
        # A google.rpc.Status: code = 1, message = 2, which is the rest.
        assert answer.body[0] == 0x08 and answer.body[1] in (3, 8) and answer.body[2] == 0x12
        assert answer.body[3] == len(answer.body[4:]) > 0
        assert client.closed()
    with Client(running.address) as client:  # Nobody else is harmed.
        assert client.post("/v1/logs", logs(1).SerializeToString()).status == 200
    assert source(running)["malformed"] == 1


def test_chunks_beyond_max_body(receiving, endpoint):
    running = receiving("receive.otlp.max_body=64KiB")
    with Client(running.address) as client:
        try:
            client.send(request("/v1/logs", b"x" * 200_000, chunks=1000))
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = client.reply()
        assert answer is None or answer.status == 413


def test_bombs(receiving, endpoint):
    """What inflates to more than max_body, or to far more than its size."""
    running = receiving()
    with Client(running.address) as client:
        assert client.post("/v1/logs", b"\0" * 10_000_000, gzipped=True).status == 413
        assert client.post("/v1/logs", b"\0" * 400_000, gzipped=True).status == 413
        assert client.post("/v1/logs", logs(1).SerializeToString(), gzipped=True).status == 200
    assert source(running)["malformed"] == 2


# Bounds

def test_a_silent_client_loses_its_slot(receiving, endpoint):
    running = receiving("receive.otlp.idle_timeout=500ms")
    begin = time.monotonic()
    with Client(running.address) as idle, Client(running.address) as half:
        half.send(request("/v1/logs", logs(1).SerializeToString())[:60])
        assert half.reply().status == 408
        assert idle.closed()
        assert 0.3 < time.monotonic() - begin < 5
    with Client(running.address) as slow:  # Trickling does not help.
        data = request("/v1/logs", logs(*range(100)).SerializeToString())
        begin = time.monotonic()
        with pytest.raises((BrokenPipeError, ConnectionResetError, StopIteration)):
            for byte in data:
                slow.send(bytes([byte]))
                time.sleep(0.02)
                if time.monotonic() - begin > 3:
                    pytest.fail("it may go on")
            raise StopIteration


def test_slow_clients_do_not_shut_out_others(receiving, endpoint):
    """All slots are taken by clients that send nothing, or half of a request: others come in."""
    running = receiving("receive.otlp.max_connections=4", "receive.otlp.idle_timeout=1s")
    hostile = [Client(running.address) for _ in range(4)]
    for client in hostile[:2]:
        client.send(request("/v1/logs", logs(1).SerializeToString())[:-5])
    begin = time.monotonic()

    def comes_in():
        with Client(running.address) as client:
            answer = client.post("/v1/logs", logs(7).SerializeToString())
            return answer is not None and answer.status == 200
    until(comes_in, timeout=5)
    assert time.monotonic() - begin < 3
    for client in hostile:
        client.close()


def test_the_pool_of_bodies(receiving, endpoint):
    """Two large bodies at the same time: the second waits for the first, and one that stops in the middle
    makes room."""
    running = receiving()
    big = logs(*range(400), text="y" * 1000).SerializeToString()
    assert 400_000 < len(big) < 524_288
    data = request("/v1/logs", big)
    with Client(running.address) as first, Client(running.address) as second:
        first.send(data[:200_000])
        time.sleep(0.2)
        second.send(data[:250_000])
        thread = threading.Thread(target=second.send, args=(data[250_000:],))
        thread.start()
        begin = time.monotonic()
        answer = second.reply()
        thread.join(10)
        assert answer.status == 200
        assert 0.5 < time.monotonic() - begin < 5, "the first had its second"
        refused = first.reply()
        assert refused.status == 429 and int(refused.headers["retry-after"]) > 0
    assert source(running)["full"] == 1
    status = running.status()
    pool = next(p for p in status["pools"] if p["name"] == "bodies")
    assert pool["used"] < 1000, pool
    until(lambda: len(numbers(endpoint.requests)) == 400)


def test_thousands_of_connections(receiving, endpoint):
    """Collection, delivery and other clients go on."""
    running = receiving("self.interval=50ms")
    stop = threading.Event()

    def storm():
        while not stop.is_set():
            try:
                sockets = [socket.create_connection(running.address, 2) for _ in range(50)]
                for s in sockets:
                    s.close()
            except OSError:
                pass
    threads = [threading.Thread(target=storm) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(0.5)
        before = len(endpoint.requests)
        taken = 0
        begin = time.monotonic()
        while time.monotonic() - begin < 4:
            try:
                with Client(running.address, timeout=5) as client:
                    answer = client.post("/v1/logs", logs(taken + 1).SerializeToString())
                    taken += answer is not None and answer.status == 200
            except OSError:
                pass
        assert taken > 20
        assert len(endpoint.requests) - before > 20, "own metrics are delivered meanwhile"
        assert running.get("/health")[0] == 200
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
    until(lambda: len(numbers(endpoint.requests)) == taken)


# Full, stopping, restarting

def test_full_asks_to_come_again(receiving, endpoint):
    """No destination, a small spool: 429, nothing that was taken is lost, and the rest comes later."""
    endpoint.stop()
    port = endpoint.port
    running = receiving("spool.max_size=1MiB", "spool.dead_max_size=64KiB", "spool.min_free=0", "destination.primary.compression=none", *FAST,
                        url=f"http://127.0.0.1:{port}")
    taken, full = 0, None
    with Client(running.address) as client:
        for _ in range(4000):
            answer = client.post("/v1/logs", logs(*range(taken, taken + 20), text="z" * 100).SerializeToString())
            if answer.status != 200:
                full = answer
                break
            taken += 20
        assert full is not None and full.status == 429 and int(full.headers["retry-after"]) > 0
        status = running.status()
        assert status["ledger"]["logs"]["dropped"] == 0
        assert status["ledger"]["logs"]["collected"] == taken > 100
    with Endpoint(port=port) as back:
        until(lambda: len(numbers(back.requests)) >= taken, timeout=30)
        assert numbers(back.requests) == list(range(taken))
        with Client(running.address) as client:
            until(lambda: client.post("/v1/logs", logs(taken).SerializeToString()).status == 200, timeout=10)
        until(lambda: numbers(back.requests)[-1] == taken)


def test_kill_in_always(receiving, endpoint):
    """durability = always: killed at any moment, all that was said 200 of arrives."""
    settings = ("spool.durability=always", *FAST)
    running = receiving(*settings)
    taken = -1
    for _ in range(4):
        with Client(running.address) as client:
            def send(client=client):
                nonlocal taken
                while True:
                    try:
                        answer = client.post("/v1/logs", logs(taken + 1).SerializeToString())
                    except OSError:
                        return
                    if answer is None or answer.status != 200:
                        return
                    taken += 1
            thread = threading.Thread(target=send)
            thread.start()
            time.sleep(0.4)
            running.kill()
            thread.join(10)
        running = receiving(*settings)
    assert taken > 10
    until(lambda: set(numbers(endpoint.requests)) >= set(range(taken + 1)), timeout=20)
    seen = []
    for n in numbers(endpoint.requests):  # First arrivals in order.
        if n not in seen:
            seen.append(n)
    assert seen == sorted(seen)
    assert running.stop() == 0


def test_stop_answers_who_waits(receiving, endpoint):
    """Told 200, it is there after the restart; told 503, the sender has it. Nobody is left without a word."""
    endpoint.script(*[Answer(503)] * 3)
    settings = ("spool.durability=always", *FAST)
    running = receiving(*settings)
    with Client(running.address) as client:
        client.send(request("/v1/logs", logs(1).SerializeToString()))
        running.signal(signal.SIGTERM)
        answer = client.reply()
        assert answer is not None and answer.status in (200, 503)
    assert running.process.wait(20) == 0
    if answer.status == 200:
        receiving(*settings)
        until(lambda: 1 in numbers(endpoint.requests))


# Who may come in

def test_bearer_token(receiving, endpoint, folder):
    token = folder / "token"
    token.write_text("first-secret\n")
    running = receiving(f"receive.otlp.bearer_token_file={token}")
    body = logs(1).SerializeToString()

    def post(*headers):
        with Client(running.address) as client:
            return client.post("/v1/logs", body, headers=headers)
    assert post().status == 401
    assert post().headers["www-authenticate"] == "Bearer"
    assert post("Authorization: Bearer wrong-secret!").status == 401
    assert post("Authorization: Basic first-secret").status == 401
    assert post("Authorization: Bearer first-secret").status == 200
    assert post("authorization: bearer first-secret").status == 200
    token.write_text("second-secret\n")
    until(lambda: post("Authorization: Bearer second-secret").status == 200)
    assert post("Authorization: Bearer first-secret").status == 401
    assert "secret" not in running.log


def test_tls_and_client_certificates(receiving, endpoint, authority):
    server, client_pair = authority.server(), authority.client("app")
    running = receiving(f"receive.otlp.tls_cert={server.chain}", f"receive.otlp.tls_key={server.key}",
                        f"receive.otlp.tls_client_ca={authority.root}")

    def connect(context):
        raw = socket.create_connection(running.address, 10)
        return context.wrap_socket(raw, server_hostname="localhost")

    def context(pair=None, version=None):
        made = ssl.create_default_context(cafile=authority.root)
        if version:
            made.maximum_version = made.minimum_version = version
        if pair:
            made.load_cert_chain(pair.chain, pair.key)
        return made
    sent = 0
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        connection = Client.__new__(Client)
        connection.unread = b""
        with connect(context(client_pair, version)) as connection.socket:
            for _ in range(3):
                sent += 1
                big = logs(sent, text="t" * 60_000).SerializeToString()
                assert connection.post("/v1/logs", big).status == 200
    with pytest.raises((ssl.SSLError, ConnectionResetError, AssertionError)):
        connection = Client.__new__(Client)
        connection.unread = b""
        with connect(context()) as connection.socket:
            assert connection.post("/v1/logs", logs(0).SerializeToString()) is not None
    with Client(running.address) as plain:
        try:
            plain.send(request("/v1/logs", logs(0).SerializeToString()))
            assert plain.reply() is None
        except ConnectionResetError:
            pass
    until(lambda: numbers(endpoint.requests) == list(range(1, sent + 1)))
