#!/usr/bin/env python3
"""A scriptable OTLP/HTTP endpoint: says what it is told to say, keeps all that it was sent.

As a module:

    with Endpoint() as endpoint:
        endpoint.script(Answer(503, headers={"Retry-After": "1"}), Answer())
        ...                                # the client sends to endpoint.url
        requests = endpoint.wait(2)        # decoded: requests[0].message

Alone (then it serves until its standard input ends, and prints its URL and a line for a request):

    endpoint.py --port 4318 --answer '{"status": 503}' --answer '{}'
"""

import argparse
import gzip
import json
import pathlib
import socket
import ssl
import struct
import sys
import threading
import time
from dataclasses import dataclass, field

HEAD_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = 16 * 1024 * 1024


@dataclass
class Answer:
    """What to do with one request. The default accepts it."""

    status: int = 200
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    reason: str = "Said So"
    interim: int = 0               # So many "100 Continue" before it.
    delay: float = 0.0             # Seconds before the answer.
    cut: int | None = None         # Send so many bytes of the answer, then close.
    raw: bytes | None = None       # These bytes instead of an answer, then close.
    trickle: float = 0.0           # Seconds between the bytes of the answer.
    close: bool = False            # "Connection: close", and close.
    hang_up: bool = False          # Close after the answer without having said so.
    reset: bool = False            # RST after the request was read, no answer.
    early: bool = False            # Answer after the head, the body unread; then close.
    never: bool = False            # Read the request and say nothing until the client goes.
    deaf: bool = False             # Do not read the body, say nothing until the client goes.
    read_rate: int | None = None   # Bytes of the body read per second.
    judge: object = None           # A function from the whole Request to the Answer to give instead.

    def bytes(self):
        if self.raw is not None:
            return self.raw
        headers = {"Content-Type": "application/x-protobuf", "Content-Length": len(self.body),
                   "Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())}
        if self.close:
            headers["Connection"] = "close"
        headers.update(self.headers)
        lines = ["HTTP/1.1 100 Continue\r\n\r\n"] * self.interim
        lines.append(f"HTTP/1.1 {self.status} {self.reason}\r\n")
        lines += [f"{k}: {v}\r\n" for k, v in headers.items() if v is not None]
        return "".join(lines).encode() + b"\r\n" + self.body

    @classmethod
    def from_json(cls, text):
        """A JSON object of the fields; "body" and "raw" are text, or a number of bytes."""
        values = json.loads(text)
        for name in ("body", "raw"):
            if isinstance(values.get(name), int):
                values[name] = b"x" * values[name]
            elif isinstance(values.get(name), str):
                values[name] = values[name].encode()
        return cls(**values)


@dataclass
class Request:
    """One request as it arrived. `headers` has names in lower case."""

    connection: int                # Counts connections from 1.
    method: str
    path: str
    headers: dict
    body: bytes                    # As on the wire.
    arrived: float                 # time.time() at its last byte.
    complete: bool                 # All of Content-Length was read.
    answer: Answer

    @property
    def content(self):
        """The body, gunzipped when it says so. Raises when it is not what it says."""
        encoding = self.headers.get("content-encoding", "identity")
        if encoding == "gzip":
            return gzip.decompress(self.body)
        if encoding != "identity":
            raise ValueError(f"Content-Encoding: {encoding}")
        return self.body

    @property
    def signal(self):
        return self.path.rsplit("/", 1)[-1]

    @property
    def message(self):
        """The decoded export request. Raises when the body is none."""
        message = message_type(self.signal)()
        message.ParseFromString(self.content)
        return message

    @property
    def key(self):
        """The Idempotency-Key without its quotes, None when there is none."""
        value = self.headers.get("idempotency-key")
        if value is not None and not (len(value) > 2 and value[0] == value[-1] == '"'):
            raise ValueError(f"Idempotency-Key: {value}")
        return value and value[1:-1]


def message_type(signal):
    """The official export request of "metrics", "logs" or "traces"."""
    if signal == "metrics":
        from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service
        return service.ExportMetricsServiceRequest
    if signal == "logs":
        from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as service
        return service.ExportLogsServiceRequest
    if signal == "traces":
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service
        return service.ExportTraceServiceRequest
    raise ValueError(f"no OTLP signal: {signal}")


def partial_success(signal, rejected, message=""):
    """The body of an answer that rejects so many items."""
    from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
    from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
    answer, name = {
        "metrics": (metrics_service_pb2.ExportMetricsServiceResponse(), "rejected_data_points"),
        "logs": (logs_service_pb2.ExportLogsServiceResponse(), "rejected_log_records"),
        "traces": (trace_service_pb2.ExportTraceServiceResponse(), "rejected_spans"),
    }[signal]
    setattr(answer.partial_success, name, rejected)
    answer.partial_success.error_message = message
    return answer.SerializeToString()


class Endpoint:
    """Listens on loopback, a thread for each connection.

    tls: a certificates.Server for HTTPS. port: 0 takes a free one.
    client_ca: clients need a certificate of this PEM file. tls_versions: the lowest and the highest.
    narrow: a small window and small segments, so that what is not read soon fills the sender's buffer.
    default: the Answer when the script is empty, or a function from Request, its body still unread, to
    Answer.
    """

    def __init__(self, tls=None, host="127.0.0.1", port=0, default=Answer(), name=None,
                 client_ca=None, tls_versions=None, narrow=False):
        self.default = default
        self.connections = 0       # Accepted so far.
        self.failed_handshakes = 0
        self._requests = []
        self._script = []
        self._open = set()
        self._changed = threading.Condition()
        self._stopping = False
        self._context = None
        if tls is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(tls.chain, tls.key)
            if client_ca is not None:
                self._context.verify_mode = ssl.CERT_REQUIRED
                self._context.load_verify_locations(client_ca)
            if tls_versions is not None:
                self._context.set_ciphers("DEFAULT:@SECLEVEL=0")
                low, high = (ssl.TLSVersion["TLSv" + v.replace(".", "_")] for v in tls_versions)
                self._context.minimum_version, self._context.maximum_version = low, high
        self._listener = socket.create_server((host, port), backlog=16)
        if narrow:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        self.port = self._listener.getsockname()[1]
        scheme = "https" if tls is not None else "http"
        self.url = f"{scheme}://{name or host}:{self.port}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.stop()

    start = __enter__

    def stop(self):
        """Stops listening and drops all connections."""
        with self._changed:
            self._stopping = True
            connections = list(self._open)
            self._changed.notify_all()
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        for connection in connections:
            _close(connection)

    def script(self, *answers):
        """Appends the answers to the next requests."""
        with self._changed:
            self._script.extend(answers)

    @property
    def requests(self):
        """All requests so far, in the order of their last bytes."""
        with self._changed:
            return list(self._requests)

    def wait(self, count, timeout=10.0):
        """Waits until so many requests have arrived, and returns all. AssertionError: in vain."""
        with self._changed:
            done = self._changed.wait_for(lambda: len(self._requests) >= count, timeout)
            assert done, f"{len(self._requests)} of {count} requests after {timeout} s"
            return list(self._requests)

    def drop_connections(self):
        """Closes what is open; new connections are welcome."""
        with self._changed:
            connections = list(self._open)
        for connection in connections:
            _close(connection)

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._changed:
                if self._stopping:
                    connection.close()
                    return
                self.connections += 1
                number = self.connections
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection, number):
        plain = connection
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                try:
                    connection = self._context.wrap_socket(connection, server_side=True)
                except (OSError, ssl.SSLError):
                    with self._changed:
                        self.failed_handshakes += 1
                    return
                with self._changed:
                    self._open.discard(plain)
                    self._open.add(connection)
            rest = b""
            while rest is not None:
                rest = self._exchange(connection, number, rest)
        except OSError:
            pass  # The client or stop() closed it.
        finally:
            with self._changed:
                self._open.discard(connection)
            _close(connection)

    def _exchange(self, connection, number, rest):
        """One request and its answer. Returns what was read beyond it, None to close."""
        while b"\r\n\r\n" not in rest:
            if rest[:1] == b"\x16":  # A TLS client: answered as web servers do.
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
                return None
            got = connection.recv(65536)
            if not got or len(rest) > HEAD_BYTES_MAX:
                return None
            rest += got
        head, rest = rest.split(b"\r\n\r\n", 1)
        request = self._parse(head, number)
        answer = self._next(request)
        request.answer = answer
        if answer.deaf:
            self._record(request)
            self._wait_for_stop(connection)
            return None
        if answer.early:
            connection.sendall(answer.bytes())
            self._record(request)
            return None
        request.body, rest = self._read_body(connection, request, rest, answer.read_rate)
        if request.complete and answer.judge is not None:
            answer = request.answer = answer.judge(request)
        self._record(request)
        if not request.complete:
            return None
        return self._say(connection, answer, rest)

    @staticmethod
    def _parse(head, number):
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {}
        for line in lines:
            name, value = line.split(":", 1)
            headers[name.strip().lower()] = value.strip()
        return Request(number, method, path, headers, b"", 0.0, False, Answer())

    def _next(self, request):
        with self._changed:
            if self._script:
                return self._script.pop(0)
        return self.default(request) if callable(self.default) else self.default

    @staticmethod
    def _read_body(connection, request, body, rate):
        size = min(int(request.headers.get("content-length", 0)), BODY_BYTES_MAX)
        while len(body) < size:
            if rate is not None:
                time.sleep(0.1)
            got = connection.recv(65536 if rate is None else max(rate // 10, 1))
            if not got:
                break
            body += got
        request.complete = len(body) >= size
        return body[:size], body[size:]

    def _record(self, request):
        request.arrived = time.time()
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()

    def _say(self, connection, answer, rest):
        if answer.delay > 0:
            time.sleep(answer.delay)
        if answer.never:
            self._wait_for_stop(connection)
            return None
        if answer.reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            return None
        data = answer.bytes()
        if answer.cut is not None:
            data = data[:answer.cut]
        if answer.trickle > 0:
            for i in range(len(data)):
                connection.sendall(data[i:i + 1])
                time.sleep(answer.trickle)
        else:
            connection.sendall(data)
        over = answer.close or answer.hang_up or answer.cut is not None or answer.raw is not None
        return None if over else rest

    def _wait_for_stop(self, connection):
        """Until the client closes (seen without reading its bytes) or the endpoint stops."""
        while not self._stopping:
            time.sleep(0.05)
            try:
                state = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
            except OSError:
                return
            if state != b"\x01":   # TCP_ESTABLISHED
                return


def _close(connection):
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    connection.close()


def main():
    parser = argparse.ArgumentParser(description="A scriptable OTLP/HTTP endpoint.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--chain", help="PEM file of the server's chain, for HTTPS")
    parser.add_argument("--key", help="PEM file of its key")
    parser.add_argument("--answer", action="append", default=[], type=Answer.from_json,
                        help="JSON of an Answer, for the next request; repeatable")
    parser.add_argument("--default", default=Answer(), type=Answer.from_json,
                        help="JSON of the Answer once those are used up")
    parser.add_argument("--client-ca", help="PEM file: clients need a certificate of these")
    parser.add_argument("--tls-versions", nargs=2, help="the lowest and the highest: 1 1.1 1.2 1.3")
    parser.add_argument("--narrow", action="store_true", help="a small window, small segments")
    parser.add_argument("--quiet", action="store_true", help="print only the URL")
    options = parser.parse_args()
    tls = None
    if options.chain:
        from certificates import Server
        tls = Server(pathlib.Path(options.chain), pathlib.Path(options.key))
    endpoint = Endpoint(tls=tls, port=options.port, default=options.default, client_ca=options.client_ca,
                        tls_versions=options.tls_versions, narrow=options.narrow)
    endpoint.script(*options.answer)
    record = endpoint._record

    def show(request):
        record(request)
        print(f"{request.method} {request.path} connection={request.connection} "
              f"body={len(request.body)} complete={int(request.complete)} "
              f"answer={request.answer.status}", flush=True)

    if not options.quiet:
        endpoint._record = show
    with endpoint:
        print(endpoint.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
