from __future__ import annotations

import errno
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from prismctl.keeper import tree
from prismctl.keeper.lineage import Lineage
from prismctl.keeper.spawn import Command, explain_failure
from prismctl.keeper.tree import ProcessFacts

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


def test_a_recycled_pid_is_never_signalled(sleeper: subprocess.Popen[bytes]) -> None:
    facts = tree.read_facts(sleeper.pid)
    assert facts is not None
    assert not tree.signal_process(sleeper.pid, facts.start_ticks + 1, signal.SIGKILL)
    assert sleeper.poll() is None
    assert tree.signal_process(sleeper.pid, facts.start_ticks, signal.SIGKILL)
    assert sleeper.wait() == -signal.SIGKILL
    assert not tree.signal_process(sleeper.pid, facts.start_ticks, signal.SIGKILL)


def test_a_recycled_pid_is_not_signalled_on_a_kernel_without_pidfd_either(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    facts = tree.read_facts(sleeper.pid)
    assert facts is not None
    assert not tree.signal_process(sleeper.pid, facts.start_ticks + 1, signal.SIGKILL)
    assert sleeper.poll() is None
    assert tree.signal_process(sleeper.pid, facts.start_ticks, signal.SIGKILL)
    assert sleeper.wait() == -signal.SIGKILL


def test_a_name_with_parentheses_does_not_confuse_the_facts() -> None:
    script = "exec 3</proc/self/comm; printf ') R 1 (' > /proc/$$/comm; cat /proc/$$/stat"
    said = subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout
    assert b"() R 1 ()" in said
    own = tree.read_facts(os.getpid())
    assert own is not None
    assert (own.parent, own.group, own.session) == (os.getppid(), os.getpgrp(), os.getsid(0))


def test_descendants_are_found_across_sessions_and_the_ended_left_out() -> None:
    def facts(pid: int, parent: int, *, is_gone: bool = False) -> ProcessFacts:
        return ProcessFacts(pid, parent, pid, pid, 1, is_gone)

    processes = {
        each.pid: each
        for each in (facts(1, 0), facts(2, 1), facts(3, 2), facts(4, 3, is_gone=True), facts(9, 1))
    }
    assert [each.pid for each in tree.find_descendants(processes, [2])] == [2, 3]
    assert [each.pid for each in tree.find_descendants(processes, [77])] == []


def test_a_passing_shortage_is_tried_again_and_a_wrong_path_is_not() -> None:
    command = Command(("prog",), {"PATH": "/a:/b"}, "/")
    assert not explain_failure(command, stage="fork", number=errno.EAGAIN).is_permanent
    missing = explain_failure(command, stage="exec", number=errno.ENOENT)
    assert missing == ("prog is not on the PATH (/a:/b)", True)


def test_a_child_handed_over_while_orphans_are_counted_is_not_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # 11 is in the first list, ends before it is looked at, and leaves 12 behind.
    lists = iter([[11], [11, 12], [11, 12]])
    facts = {
        11: ProcessFacts(11, 1, 11, 11, 5, is_gone=True),
        12: ProcessFacts(12, 1, 12, 99, 6, is_gone=False),
    }
    monkeypatch.setattr(tree, "read_children", lambda _pid: next(lists))
    monkeypatch.setattr(tree, "read_facts", facts.get)
    assert Lineage("id").orphans({99: "a"}) == {12: "a"}
