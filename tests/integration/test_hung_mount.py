"""A filesystem whose server never answers: statvfs on it hangs, as with a dead network mount."""

import ctypes
import os

import pytest

from limpet import until
from otlp import points

INTERVAL = 0.2
MNT_DETACH = 2

libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def dead_mount(folder):
    """(where it is mounted, what makes it fail at last). A FUSE filesystem of which nobody reads the requests."""
    try:
        device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        pytest.skip(f"NO HUNG MOUNT HERE: /dev/fuse: {error.strerror}")
    path = folder / "dead"
    path.mkdir()
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0"
    if libc.mount(b"dead-server:/export", bytes(path), b"fuse.nfs", 0, options.encode()) != 0:
        os.close(device)
        pytest.skip(f"NO HUNG MOUNT HERE: mount: {os.strerror(ctypes.get_errno())}")
    state = [device]

    def die():
        if state:
            os.close(state.pop())
    yield path, die
    die()
    libc.umount2(bytes(path), MNT_DETACH)


def test_a_hung_mount_holds_up_nothing(limpet, endpoint, dead_mount):
    path, die = dead_mount
    process = limpet(endpoint.url, f"host.interval={INTERVAL * 1000:.0f}ms", "host.metrics=cpu, filesystem")
    said = until(lambda: process.lines("a filesystem does not answer: it is left out until it does, and those behind it"),
                 15, "a word about it")
    assert len(said) == 1
    assert said[0]["mountpoint"] == str(path)
    assert said[0]["type"] == "fuse.nfs"
    found = [points(request.message) for request in endpoint.requests]
    times = [cycle[0].time for cycle in found]
    assert len(times) >= 20  # In the 5 s that it takes to be said.
    assert max(b - a for a, b in zip(times, times[1:])) < 2 * INTERVAL * 1e9, "a cycle had to wait"
    mounted = {point.attributes["system.filesystem.mountpoint"] for cycle in found for point in cycle
               if point.name == "system.filesystem.usage"}
    assert mounted and str(path) not in mounted
    assert all(any(point.name == "system.cpu.time" for point in cycle) for cycle in found)
    die()
    again = until(lambda: process.lines("a filesystem answers again"), 10, "a word about its end")
    assert again[0]["worker"] == "remote"
    process.stop()


def test_a_hung_mount_holds_up_no_stop(limpet, endpoint, dead_mount):
    process = limpet(endpoint.url, "host.metrics=cpu, filesystem")
    endpoint.wait(3)
    assert process.stop(timeout=5) == 0
