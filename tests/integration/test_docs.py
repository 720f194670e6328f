"""The documents say what the program does: names of /status, of metrics, commands, examples.

Each table of docs/ is compared with a real run, both ways: nothing undocumented, nothing made up.
"""

import json
import os
import re
import shutil
import subprocess
import time

import pytest

from limpet import ALL_GROUPS, SOURCE, call, free_port, may_read_kmsg, until
from otlp import attributes, points, points_of

# A host that has all that there is to tell.
MEMINFO = """MemTotal: 1000 kB
MemFree: 400 kB
MemAvailable: 600 kB
Buffers: 50 kB
Cached: 100 kB
Shmem: 10 kB
SReclaimable: 20 kB
SUnreclaim: 30 kB
HugePages_Total: 4
HugePages_Free: 1
HugePages_Rsvd: 1
HugePages_Surp: 0
Hugepagesize: 2048 kB
"""
COMPATIBLE = b"acme,board-7\0acme,board\0"
OS_RELEASE = 'NAME="Acme"\nVERSION_ID="7"\nBUILD_ID=r7\nPRETTY_NAME="Acme 7"\n'


def text(name):
    return (SOURCE / name).read_text(encoding="utf-8")


def table(name, first):
    """The rows of the document's table whose first heading is `first`: lists of cells."""
    lines = text(name).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[start + 2:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def names(cell):
    return re.findall(r"`([^`]+)`", cell)


@pytest.fixture
def root(folder):
    """A root folder for [host] root, with everything in it."""
    top = folder / "host"
    shutil.copytree(SOURCE / "tests/data/proc/rpi4-6.6", top)
    # A board has no NAND and no battery.
    for part in "gateway-imx8-5.10/sys", "openwrt-mips-4.14/sys/class/mtd", "openwrt-mips-4.14/sys/class/ubi":
        shutil.copytree(SOURCE / "tests/data/proc" / part, top / part.split("/", 1)[1], dirs_exist_ok=True)
    (top / "proc/meminfo").write_text(MEMINFO)
    (top / "etc/os-release").write_text(OS_RELEASE)
    (top / "proc/device-tree/compatible").write_bytes(COMPATIBLE)
    return top


def test_host_metrics(limpet, endpoint, root):
    groups = f"{ALL_GROUPS}, thermal, hwmon, power, flash"
    limpet(endpoint.url, f"host.root={root}", f"host.metrics={groups}", "host.interval=2s")
    message = endpoint.wait(1)[0].message
    seen = {(p.name, p.unit, p.kind, p.number, *sorted(p.attributes)) for p in points(message)}
    told = {(names(metric)[0], names(unit)[0], kind, number, *sorted(names(attributes)))
            for metric, _, unit, kind, number, attributes, _ in table("docs/metrics.md", "metric")}
    assert seen == told
    told = {name for row in table("docs/metrics.md", "attribute") for name in names(row[0])}
    assert {name for point in seen for name in point[4:]} == told
    resource = message.resource_metrics[0].resource
    told = {names(row[0])[0] for row in table("docs/metrics.md", "resource attribute")}
    assert {pair.key for pair in resource.attributes} == told


def test_host_metrics_are_in_their_groups(limpet, endpoint, root):
    rows = table("docs/metrics.md", "metric")
    groups = {row[1] for row in rows}
    config = text("config/limpet.ini")
    assert set(re.search(r"^metrics = ([a-z, ]+?) *;", config, re.M)[1].split(", ")) == groups
    for number, group in enumerate(sorted(groups)):
        limpet(endpoint.url, f"host.root={root}", f"host.metrics={group}",
               f"agent.run_dir={root}/{number}", f"agent.state_dir={root}/{number}")
        told = {names(row[0])[0] for row in rows if row[1] == group}
        until(lambda: told in [{point.name for point in points(request.message)}
                               for request in endpoint.requests], what=group)


def test_process_metrics(limpet, endpoint, root):
    (root / "proc/703/exe").symlink_to("/usr/sbin/nginx")
    limpet(endpoint.url, f"host.root={root}", "host.metrics=load", "host.process=ngin?, none")
    of_host, *resources = endpoint.wait(1)[0].message.resource_metrics
    keys = {pair.key for pair in of_host.resource.attributes}
    told = {names(row[0])[0] for row in table("docs/metrics.md", "process resource attribute")}
    master, worker = (attributes(one.resource.attributes) for one in resources)
    assert worker.keys() == keys | told
    assert (master["process.pid"], worker["process.pid"]) == (702, 703)
    told = {(names(metric)[0], names(unit)[0], kind, number, *sorted(names(attributes)))
            for metric, unit, kind, number, attributes, _ in table("docs/metrics.md", "process metric")}
    for one in resources:
        seen = [p for scope in one.scope_metrics for metric in scope.metrics for p in points_of(metric)]
        assert {(p.name, p.unit, p.kind, p.number, *sorted(p.attributes)) for p in seen} == told
        for row in table("docs/metrics.md", "process attribute"):
            key = names(row[0])[0]
            assert {p.attributes[key] for p in seen if key in p.attributes} == set(names(row[1]))
        starts = {p.start for p in seen if p.kind == "counter"}
        assert len(starts) == 1
        assert starts.pop() > min(p.time for p in seen) - time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def paths(value, path=""):
    """Where there is something in a JSON document: "a.b", "list[].c"."""
    if isinstance(value, dict) and value:
        return {p for key, part in value.items() for p in paths(part, f"{path}.{key}" if path else key)}
    if isinstance(value, list):
        return set().union({path + "[]"} if not value else set(),
                           *(paths(part, path + "[]") for part in value))
    return {path}


def test_status_fields(limpet, endpoint):
    running = limpet(endpoint.url, f"receive.otlp.listen=127.0.0.1:{free_port()}", "log.app.path=/nowhere/*.log")
    endpoint.wait(2)
    seen = {re.sub(r"^ledger\.(metrics|logs|traces)", "ledger.SIGNAL", p) for p in paths(running.status())}
    told = {names(row[0])[0] for row in table("docs/status.md", "field")}
    assert seen == told
    assert json.loads(running.ask("status", "--json").stdout).keys() == running.status().keys()


def test_pages(limpet, endpoint):
    running = limpet(endpoint.url)
    endpoint.wait(1)
    for row in table("docs/status.md", "path"):
        code, body = running.get(names(row[0])[0])
        assert code == 200 and body
    assert running.get("/other")[0] == 404
    told = {names(row[0])[0] for row in table("docs/status.md", "path")}
    assert set(re.findall(r"/\w+", running.get("/other")[1])) == told


def test_own_metrics(limpet, endpoint):
    kernel = may_read_kmsg()
    running = limpet(endpoint.url, "self.interval=100ms", "log.app.path=/nowhere/*.log",
                     *(["log.kernel.type=kmsg"] if kernel else []), host=False)
    rows = [row for row in table("docs/status.md", "on /metrics") if kernel or "kernel" not in row[0]]
    told = {names(row[0])[0] for row in rows}
    endpoint.wait(3)  # The first knows of no request yet.
    page = running.get("/metrics")[1]
    families = {re.sub(r"\{.*", "", line).split()[0] for line in page.splitlines() if line[0] != "#"}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in families}
    assert families == told
    seen = {(p.name, p.unit, p.kind, *sorted(p.attributes))
            for p in points(endpoint.wait(3)[2].message)}
    assert seen == {(names(otlp)[0], names(unit)[0], kind, *sorted(names(attributes)))
                    for _, otlp, unit, kind, attributes, _ in rows}


def test_exit_codes():
    told = {int(row[0]) for row in table("docs/status.md", "code")}
    known = {int(n) for n in re.findall(r"^  kExit\w+ = (\d+)", text("src/cli/exit_code.h"), re.M)}
    assert told <= known
    assert call("wrong").returncode == 64
    assert call("check", "-c", "/nowhere/limpet.ini").returncode == 66
    nobody = ("agent.run_dir=/nowhere", "agent.state_dir=/nowhere")
    assert call("health", "-c", SOURCE / "config/demo.ini",
                *(part for setting in nobody for part in ("--set", setting))).returncode == 69
    assert call("check", "-c", SOURCE / "config/demo.ini", "--set", "a.b=c").returncode == 78


@pytest.mark.parametrize("name", sorted(
    str(path.relative_to(SOURCE)) for path in SOURCE.glob("examples/**/*.ini")) + [
        "config/demo.ini", "config/limpet.ini"])
def test_configurations_pass_the_check(name):
    checked = call("check", "-c", SOURCE / name, env={**os.environ, "LIMPET_TOKEN": "s3cret"})
    assert checked.returncode == 0, checked.stderr
    assert "s3cret" not in checked.stdout
    assert "; memory plan" in checked.stdout


def unit_file():
    """The service file: [(key, value)], comments and sections left out."""
    lines = text("examples/systemd/limpet.service").splitlines()
    return [tuple(line.split("=", 1)) for line in lines if line and line[0] not in "#["]


def test_the_service_fits_the_defaults(tmp_path):
    unit = dict(unit_file())
    config = text("config/limpet.ini")
    assert re.search(r"^state_dir = /var/lib/(\S+)", config, re.M)[1] == unit["StateDirectory"]
    assert re.search(r"^run_dir = /run/(\S+)", config, re.M)[1] == unit["RuntimeDirectory"]
    timeout = int(re.search(r"^shutdown_timeout = (\d+)s", config, re.M)[1])
    assert timeout < int(unit["TimeoutStopSec"])
    program, *arguments = unit["ExecStart"].split()
    assert program == "/usr/bin/limpet" and call(*arguments, "--help").returncode == 0
    known = {row[0] for row in table("docs/status.md", "code")}
    assert set(unit["RestartPreventExitStatus"].split()) <= known
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze here to read the unit")
    copy = tmp_path / "limpet.service"
    copy.write_text(text("examples/systemd/limpet.service").replace("/usr/bin/limpet", "/bin/true"))
    verdict = subprocess.run([analyze, "verify", copy], capture_output=True, text=True)
    assert "Unknown" not in verdict.stderr and "Failed to parse" not in verdict.stderr, verdict.stderr


def test_the_init_script_is_a_shell_script():
    script = SOURCE / "examples/openwrt/limpet.init"
    assert subprocess.run(["sh", "-n", script]).returncode == 0
    command = re.search(r"command /usr/bin/limpet (.+)", script.read_text())[1].split()
    assert call(*command, "--help").returncode == 0


def test_the_other_examples_name_limpets_ports():
    port = re.search(r"^listen = (127\.0\.0\.1:\d+)", text("config/limpet.ini"), re.M)[1]
    assert f"targets: [{port}]" in text("examples/prometheus/prometheus.yml")
    assert "endpoint: 127.0.0.1:4318" in text("examples/collector/otelcol.yaml")
    assert "url = http://127.0.0.1:4318" in text("examples/collector/limpet.ini")


def test_every_example_is_in_the_list():
    told = {name for row in table("examples/README.md", "file") for name in names(row[0])}
    there = {str(path.relative_to(SOURCE)) for path in SOURCE.glob("examples/**/*") if path.is_file()}
    assert told == there - {"examples/README.md"}
