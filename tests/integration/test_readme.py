"""The README followed word for word, in a fresh clone: every command in a block of shell, in order.

A command that runs until it is stopped (limpet sink, limpet run) goes on while the others follow, as
in a terminal of its own. What the machine has fetched before is used again.
"""

import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import time

import pytest

SOURCE = pathlib.Path(os.environ.get("LIMPET_SOURCE_DIR") or pathlib.Path(__file__).parents[2])
BINARY = pathlib.Path(os.environ.get("LIMPET_BINARY_DIR") or SOURCE / "build/host")
PORTS = {"sink": 4318, "run": 13133}  # Where each listens by default.


def blocks(language):
    readme = (SOURCE / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", readme, re.M | re.S)


def listens(port):
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


def lasting(command):
    """"sink" or "run" when the command goes on until it is stopped."""
    words = shlex.split(command)
    return words[1] if words[0] == "build/host/limpet" and words[1] in PORTS else None


@pytest.fixture
def clone(tmp_path):
    if not (SOURCE / ".git").exists():
        pytest.skip("not a git checkout")
    folder = tmp_path / "limpet"
    subprocess.run(["git", "clone", "-q", SOURCE, folder], check=True)
    return folder


def test_commands(clone):
    if any(map(listens, PORTS.values())):
        pytest.skip(f"something of this machine listens on one of {sorted(PORTS.values())}")
    # As at a terminal: nothing of what the build tells its tests.
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("LIMPET", "LIMPET_SOURCE_DIR", "LIMPET_BINARY_DIR")}
    running, outputs = [], {}
    try:
        for command in [line for block in blocks("sh") for line in block.splitlines()]:
            kind = lasting(command)
            if kind is None:
                done = subprocess.run(["bash", "-c", command], cwd=clone, env=environment, text=True,
                                      capture_output=True, stdin=subprocess.DEVNULL, timeout=600)
                assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
                outputs[command] = done.stdout
                continue
            log = open(clone / f"{kind}.log", "w+b")
            process = subprocess.Popen(shlex.split(command), cwd=clone, env=environment, stdout=log,
                                       stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
            running.append((command, process, log))
            deadline = time.monotonic() + 10
            while not listens(PORTS[kind]):
                assert process.poll() is None and time.monotonic() < deadline, log.name
                time.sleep(0.05)
        time.sleep(2)  # A cycle.
        for command, process, log in reversed(running):  # The agent first, as the demo does.
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0, command
            log.seek(0)
            outputs[command] = log.read().decode()
    finally:
        for _, process, _ in running:
            if process.poll() is None:
                process.kill()
    expected = {
        "tools/demo": "system.cpu.time",
        "tools/test": "--quick",
        "build/host/limpet version": "libcurl",
        "build/host/limpet check": "memory plan",
        "build/host/limpet sink": "system.memory.usage",
        "build/host/limpet run": "running",
        "curl -s http://127.0.0.1:13133/health": '"ok":true',
        "curl -s http://127.0.0.1:13133/metrics": "limpet_items_collected_total",
        "build/host/limpet status": "collected",
        "build/host/limpet health": '"ok":true',
    }
    for beginning, part in expected.items():
        assert any(command.startswith(beginning) and part in output
                   for command, output in outputs.items()), f"{beginning}: no {part!r}"


def test_first_configuration(tmp_path):
    (tmp_path / "limpet.ini").write_text(blocks("ini")[0])
    program = os.environ.get("LIMPET") or SOURCE / "build/host/limpet"
    subprocess.run([program, "check", "-c", tmp_path / "limpet.ini"], check=True, capture_output=True)


def test_size():
    """What the README says of a release is not beaten by it, and not far from the truth."""
    readme = (SOURCE / "README.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `([\w-]+)` \| ([\d.]+) MB \|", readme, re.M))
    assert told
    if BINARY.name not in told:
        pytest.skip(f"the README says nothing of {BINARY.name}")
    size = (BINARY / "limpet").stat().st_size / 1e6
    assert 0.9 * float(told[BINARY.name]) <= size <= float(told[BINARY.name])
