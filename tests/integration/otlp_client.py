"""A client of [receive.otlp] over plain sockets: what is sent is what the test wrote, nothing else."""

import gzip
import socket
from dataclasses import dataclass

PROTOBUF = "application/x-protobuf"
JSON = "application/json"


@dataclass
class Reply:
    status: int
    headers: dict   # Names in lower case.
    body: bytes


class Client:
    """One connection. address: ("127.0.0.1", port), or the path of a Unix socket."""

    def __init__(self, address, timeout=15.0):
        if isinstance(address, tuple):
            self.socket = socket.create_connection(address, timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(str(address))
        self.unread = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def more(self):
        """False: the other side has closed."""
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self.unread += data
        return bool(data)

    def closed(self):
        """Waits for the end of the connection. AssertionError: there is an answer first."""
        while self.more():
            pass
        assert not self.unread, self.unread
        return True

    def reply(self):
        """The next answer; None: the other side closed before one was complete."""
        while b"\r\n\r\n" not in self.unread:
            if not self.more():
                return None
        head, self.unread = self.unread.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        status = int(lines[0].split()[1])
        headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
        length = int(headers.get("content-length", 0))
        while len(self.unread) < length:
            if not self.more():
                return None
        body, self.unread = self.unread[:length], self.unread[length:]
        return Reply(status, headers, body)

    def post(self, path, body, content_type=PROTOBUF, **options):
        self.send(request(path, body, content_type, **options))
        return self.reply()


def request(path, body, content_type=PROTOBUF, gzipped=False, chunks=0, version="1.1", headers=()):
    """The bytes of a POST. chunks: of so many bytes; 0: with a Content-Length."""
    if gzipped:
        body = gzip.compress(body)
    lines = [f"POST {path} HTTP/{version}", "Host: localhost", f"Content-Type: {content_type}", *headers]
    if gzipped:
        lines.append("Content-Encoding: gzip")
    if chunks:
        lines.append("Transfer-Encoding: chunked")
        pieces = [body[i:i + chunks] for i in range(0, len(body), chunks)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    else:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
