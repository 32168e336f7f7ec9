from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from prismctl.daemon.process_table import (
    PROPORTION_SECONDS,
    SCAN_SECONDS,
    MemoryView,
    ProcessView,
    read_process,
)
from prismctl.daemon.usage import LEAST_CPU_SECONDS, UsageSampler
from prismctl.domain.observation import InstanceKey
from prismctl.domain.service import ServiceName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY = InstanceKey(ServiceName("subject"), 0)
BUSY = "while True: pass"
IDLE = "import time; time.sleep(100)"


@pytest.fixture
def run() -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    begun: list[subprocess.Popen[bytes]] = []

    def start(code: str) -> subprocess.Popen[bytes]:
        begun.append(subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE))
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.communicate()


def test_cpu_is_unknown_until_it_was_measured_twice(
    run: Callable[[str], subprocess.Popen[bytes]], wait_until: Callable[..., None]
) -> None:
    pid = run(BUSY).pid
    sampler = UsageSampler()
    (first,) = sampler.sample({KEY: pid}, 0)
    (at_once,) = sampler.sample({KEY: pid}, 0)
    assert (first.cpu_percent, at_once.cpu_percent) == (None, None)
    assert first.memory_bytes
    began = time.monotonic()
    wait_until(lambda: sampler.sample({KEY: pid}, 0)[0].cpu_percent is not None)
    assert time.monotonic() - began >= LEAST_CPU_SECONDS - 0.1
    wait_until(lambda: (sampler.sample({KEY: pid}, 0)[0].cpu_percent or 0) > 0)


def test_another_process_of_the_same_service_is_measured_anew(
    run: Callable[[str], subprocess.Popen[bytes]], wait_until: Callable[..., None]
) -> None:
    sampler = UsageSampler()
    old = run(BUSY).pid
    wait_until(lambda: sampler.sample({KEY: old}, 0)[0].cpu_percent is not None)
    (sample,) = sampler.sample({KEY: run(BUSY).pid}, 0)
    assert sample.cpu_percent is None


def test_a_child_that_came_since_is_noticed_within_a_second(
    run: Callable[[str], subprocess.Popen[bytes]],
) -> None:
    parent = run(
        "import subprocess\n"
        "child = subprocess.Popen(['sleep', '100']); print(child.pid, flush=True)\n"
        "try: child.wait()\nfinally: child.kill()"
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    view = ProcessView()
    roots = frozenset({parent.pid})
    assert child in view.read(100.0, roots, ())
    late = run(IDLE)
    assert late.pid not in view.read(100.0 + SCAN_SECONDS / 2, roots, (child,))
    assert late.pid in view.read(100.0 + SCAN_SECONDS, roots, (child,))
    # Other families are looked for at once.
    later = run(IDLE)
    assert later.pid in view.read(100.0 + SCAN_SECONDS, frozenset({later.pid}), ())
    subprocess.run(["kill", "-9", str(child)], check=True)
    parent.wait()
    facts = view.read(100.0 + SCAN_SECONDS * 1.5, frozenset({later.pid}), (child,))
    assert child not in facts or facts[child].is_gone


def test_memory_that_grows_is_seen_at_once_and_what_is_shared_is_asked_for_seldom(
    run: Callable[[str], subprocess.Popen[bytes]],
) -> None:
    process = run("print(1, flush=True)\n" + IDLE)
    assert process.stdout is not None
    process.stdout.readline()
    facts = read_process(process.pid)
    assert facts is not None
    view = MemoryView()
    small = view.read(0.0, [facts])
    assert 0 < small <= facts.resident_bytes
    # As it was asked for, with what it has grown by.
    grown = facts._replace(resident_bytes=facts.resident_bytes + 4096)
    assert view.read(1.0, [grown]) == small + 4096
    assert view.read(PROPORTION_SECONDS, [grown]) < small + 4096
    # By more than a tenth: it is asked for, and has not really grown.
    large = facts._replace(resident_bytes=10 * facts.resident_bytes)
    assert view.read(PROPORTION_SECONDS + 1, [large]) < 2 * small
