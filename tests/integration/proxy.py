"""An HTTP proxy for tests: CONNECT and absolute form, credentials.

Alone it serves until its standard input ends, and prints its URL: proxy.py [USER:PASSWORD]
"""

import base64
import socket
import sys
import threading


class Proxy:
    """Listens on loopback, a thread for each direction.

    credentials: "user:password" that are wanted; others get a 407. refuse: answer every request with this
    status instead. Attributes `requests` (the first line of each) and `connections` tell what came.
    """

    def __init__(self, credentials=None, refuse=None):
        self.credentials = credentials
        self.refuse = refuse
        self.requests = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open = []

    def url(self, credentials=None):
        return f"http://{credentials + '@' if credentials else ''}127.0.0.1:{self.port}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            data = b""
            while b"\r\n\r\n" not in data:
                got = connection.recv(65536)
                if not got:
                    return
                data += got
            head, rest = data.split(b"\r\n\r\n", 1)
            first, *lines = head.decode().split("\r\n")
            self.requests.append(first)
            method, target, _ = first.split(" ")
            wanted = self.credentials and (
                "Proxy-Authorization: Basic " + base64.b64encode(self.credentials.encode()).decode())
            if self.refuse or (wanted and wanted not in lines):
                status = self.refuse or 407
                more = "Proxy-Authenticate: Basic realm=\"p\"\r\n" if status == 407 else ""
                connection.sendall(f"HTTP/1.1 {status} No\r\n{more}Content-Length: 0\r\n\r\n".encode())
                return
            if method == "CONNECT":
                host, port = target.rsplit(":", 1)
                to = socket.create_connection((host, int(port)))
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                host, _, path = target.removeprefix("http://").partition("/")
                host, port = host.rsplit(":", 1)
                to = socket.create_connection((host, int(port)))
                lines = [line for line in lines if not line.lower().startswith("proxy-")]
                rest = "\r\n".join([f"{method} /{path} HTTP/1.1", *lines]).encode() + b"\r\n\r\n" + rest
            self._open.append(to)
            to.sendall(rest)
            threading.Thread(target=self._copy, args=(to, connection), daemon=True).start()
            self._copy(connection, to)
        except OSError:
            pass
        finally:
            connection.close()

    @staticmethod
    def _copy(source, to):
        try:
            while got := source.recv(65536):
                to.sendall(got)
        except OSError:
            pass
        try:
            to.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def main():
    with Proxy(*sys.argv[1:]) as proxy:
        print(proxy.url(*sys.argv[1:]), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
