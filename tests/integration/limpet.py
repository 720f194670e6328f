"""The real program as the tests see it: started on a configuration, asked, signalled, ended.

The environment names the program (LIMPET), as the build does; without it build/host/limpet is run.
"""

import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

SOURCE = pathlib.Path(os.environ.get("LIMPET_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
LIMPET = os.environ.get("LIMPET", str(SOURCE / "build/host/limpet"))
# The same program with a source of numbered log lines: env=generating(lines_per_second, first).
GENERATOR = str(pathlib.Path(LIMPET).with_name("limpet-generator"))

# While the spool drains, open batches wait for its commits, until it has been quiet for 30 s: with a cycle every
# 200 ms there is hardly a moment before that at which nothing is held.
CALM_S = 45.0
# Paces under which a test of retries takes tenths of seconds.
# Groups whose cost and points do not depend on the processes, sockets and sensors of this machine.
CHEAP_GROUPS = "cpu, load, memory, paging, disk, filesystem, network, system, pressure, clock"
ALL_GROUPS = f"{CHEAP_GROUPS}, connections, processes"
FAST = ("retry.initial=50ms", "retry.max=200ms", "retry.jitter=0.1",
        "breaker.open=100ms", "breaker.open_max=200ms")


def call(*arguments, timeout=10, **options):
    """Runs limpet to its end. Returns subprocess.CompletedProcess with texts."""
    return subprocess.run([LIMPET, *map(str, arguments)], capture_output=True, text=True,
                          timeout=timeout, **options)


def until(condition, timeout=10.0, what="it", every=0.02):
    """Asks until the answer is true, and returns it. AssertionError: in vain."""
    deadline = time.monotonic() + timeout
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"{what}: not within {timeout} s"
        time.sleep(every)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def may_read_kmsg():
    try:
        with open("/dev/kmsg", "rb"):
            return True
    except OSError:
        return False


def balances(ledger):
    """Promise 1, of one status document's ledger."""
    return all(a["collected"] == sum(a[k] for k in ("delivered", "rejected", "dropped", "dead", "held"))
               and a["dropped"] == sum(a["dropped_by"].values()) for a in ledger.values())


def generating(lines_per_second, first=1):
    """The environment that switches the source of GENERATOR on."""
    return os.environ | {"LIMPET_GENERATE": f"{lines_per_second}:{first}"}


class ControlConnection(http.client.HTTPConnection):
    """HTTP over the control socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=5)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(5)
        self.sock.connect(self.path)


class Limpet:
    """`limpet run` on a configuration of its own.

    folder: for its configuration, state and log; short, since a socket's path is.
    url: of the only destination. settings: "section.key=value", as for --set.
    The listener is off, the own metrics and some groups of the host too, unless a setting says otherwise.
    before: a command in front of it, such as strace. program: another one than LIMPET.
    """

    def __init__(self, folder, url, *settings, host=True, before=(), program=LIMPET, wait=True,
                 **options):
        self.folder = pathlib.Path(folder)
        self.config = self.folder / "limpet.ini"
        self.config.write_text(
            f"[agent]\nstate_dir = {folder}/state\nrun_dir = {folder}/run\n"
            + (f"[host]\ninterval = 200ms\nmetrics = {CHEAP_GROUPS}\n" if host else "")
            + f"[destination.primary]\nurl = {url}\n[health]\nlisten =\n[self]\ninterval = 0\n")
        self.settings = [part for s in settings for part in ("--set", s)]
        self.log_file = self.folder / f"log-{len(list(self.folder.glob('log-*')))}"
        self.started = time.time()
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(
                [*before, program, "run", "-c", self.config, *self.settings],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, **options)
        if wait:
            self.wait_for_log("running")

    @property
    def log(self):
        return self.log_file.read_text(errors="replace")

    def lines(self, message):
        """The log's lines with this message, each as a dictionary of its fields."""
        fields = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')
        found = [{k: json.loads(v) if v.startswith('"') else v for k, v in fields.findall(line)}
                 for line in self.log.splitlines()]
        return [line for line in found if line.get("msg") == message]

    def wait_for_log(self, message, count=1, timeout=10.0):
        def there():
            found = self.lines(message)
            if len(found) >= count:
                return found
            assert self.process.poll() is None or len(self.lines(message)) >= count, (
                f"ended with {self.process.returncode} before {message!r}:\n{self.log}")
            return None
        return until(there, timeout, f"{count} × {message!r} in the log")

    def get(self, target, method="GET"):
        """Asks over the control socket. Returns (status, body)."""
        connection = ControlConnection(self.folder / "run/limpet.sock")
        try:
            connection.request(method, target)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def status(self):
        """The status document. AssertionError: the ledger in it does not balance."""
        code, body = self.get("/status")
        assert code == 200, body
        status = json.loads(body)
        assert balances(status["ledger"]), status["ledger"]
        return status

    def metrics(self):
        """The metrics' account of the ledger."""
        return self.status()["ledger"]["metrics"]

    def health(self):
        """Returns (healthy, document)."""
        code, body = self.get("/health")
        assert code in (200, 503), body
        return code == 200, json.loads(body)

    def wait_for(self, condition, timeout=10.0, what="a status"):
        """Waits for a status document that meets the condition, and returns it."""
        seen = {}

        def met():
            seen.update(self.status())
            return condition(seen)
        try:
            until(met, timeout, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; last: {json.dumps(seen, indent=1)}") from None
        return seen

    def ask(self, command, *options, **kwargs):
        """Runs another limpet on the same configuration, as a user would."""
        return call(command, "-c", self.config, *self.settings, *options, **kwargs)

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, timeout=15.0):
        """A graceful stop. Returns the exit code."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def final_account(self):
        """The metrics' account at the end, of the log, as numbers."""
        line = [line for line in self.lines("ledger") if line["signal"] == "metrics"][-1]
        account = {k: int(v) for k, v in line.items() if k not in ("time", "level", "msg", "signal")}
        assert account["collected"] == sum(v for k, v in account.items() if k != "collected"), account
        return account

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
