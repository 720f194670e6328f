"""What the tests of the real program share: folders, endpoints, certificates, processes."""

import pathlib
import shutil
import tempfile

import pytest

from certificates import Authority
from endpoint import Endpoint
from limpet import Limpet


def pytest_configure(config):
    config.option.reportchars += "s"  # What was skipped is said, and why.


@pytest.fixture
def folder():
    """A folder with a short path, since a Unix socket's is at most 107 bytes."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="limpet-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def limpet(folder):
    """Starts the program: limpet(url, "section.key=value", …). What is left of it is killed at the
    end of the test, and its log shown when the test failed."""
    started = []

    def start(url, *settings, **options):
        process = Limpet(options.pop("folder", folder), url, *settings, wait=False, **options)
        started.append(process)
        process.wait_for_log("running")
        return process
    yield start
    for process in started:
        process.kill()
        print(process.log)  # Shown with a failure.


@pytest.fixture
def endpoint():
    with Endpoint() as started:
        yield started


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def bundle(folder, authority):
    """Everybody whom a distribution trusts, and the tests' own authority last."""
    with open("/etc/ssl/certs/ca-certificates.crt", encoding="ascii") as file:
        text = file.read()
    assert text.count("BEGIN CERTIFICATE") > 100
    path = folder / "bundle.pem"
    path.write_text(text + authority.root.read_text())
    return path


@pytest.fixture
def tls_endpoint(authority):
    with Endpoint(tls=authority.server()) as started:
        yield started
