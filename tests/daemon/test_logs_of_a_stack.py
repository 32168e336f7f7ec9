"""What the daemon tells of its services' output, over its own end and without anybody's secrets."""

from __future__ import annotations

import json
import os
import signal
import stat
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.client import follow_logs
from prismctl.domain.plan import plan_to_json
from prismctl.domain.service import CheckType, HealthCheck
from prismctl.errors import RejectedError
from prismctl.files.logs import read_logs
from prismctl.files.redaction import load_redactor

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import StackLab

SECRET = "correct horse/battery"


def texts_of(lines: Any) -> list[str]:
    return [line["text"] for line in lines]


def test_lines_go_on_after_a_sequence(lab: StackLab) -> None:
    lab.start_with(lab.shell("talker", "echo one; echo two; echo three; exec sleep 1000"))
    stream = lab.client.logs(["talker"], follow=True)
    first = next(stream)

    rest = lab.client.logs(["talker"], after={"talker#0": first["sequence"]}, follow=True)

    assert [next(rest)["text"], next(rest)["text"]] == ["two", "three"]


def test_what_is_no_sequence_is_refused(lab: StackLab) -> None:
    lab.start_with(lab.shell("talker", "echo one; exec sleep 1000"))
    with pytest.raises(RejectedError, match="no sequence"):
        list(lab.client.logs(["talker"], after={"talker#0": "yesterday"}))


def test_following_goes_on_when_the_daemon_is_killed(
    lab: StackLab, wait_until: Callable[..., None]
) -> None:
    lab.start_with(lab.shell("talker", "for word in one two; do echo $word; done; exec sleep 1000"))
    bundles = follow_logs(lab.client, lab.paths, ["talker"])
    seen: list[str] = []
    while len(seen) < 2:
        seen += texts_of(next(bundles))

    killed = lab.daemon_pid()
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: lab.daemon_pid() != killed)
    list(lab.client.restart(["talker"]))
    while len(seen) < 4:
        seen += texts_of(next(bundles))

    assert seen == ["one", "two", "one", "two"]


def test_an_instance_that_is_silent_until_the_daemon_is_killed_is_followed_from_its_first_line(
    lab: StackLab,
) -> None:
    lab.start_with(
        lab.shell("talker", "echo hello; exec sleep 1000"),
        lab.shell(
            "quiet", "until [ -e speak ]; do sleep 0.02; done; echo at last; exec sleep 1000"
        ),
    )
    bundles = follow_logs(lab.client, lab.paths, tail=1)
    assert texts_of(next(bundles)) == ["hello"]

    os.kill(lab.daemon_pid(), signal.SIGKILL)
    (lab.paths.data_of("quiet", 0) / "speak").touch()

    assert texts_of(next(bundles)) == ["at last"]


def test_following_ends_with_the_stack_and_has_its_last_words(lab: StackLab) -> None:
    script = "trap 'echo good bye; exit' INT TERM; echo hello; while :; do sleep 0.02; done"
    lab.start_with(lab.shell("talker", script))
    bundles = follow_logs(lab.client, lab.paths)
    seen = texts_of(next(bundles))

    list(lab.client.stop())
    for bundle in bundles:
        seen += texts_of(bundle)

    assert seen == ["hello", "good bye"]


def test_a_new_instance_is_followed_from_its_first_line(lab: StackLab) -> None:
    talker = lab.shell("talker", "echo I am $PRISM_REPLICA; exec sleep 1000")
    lab.start_with(talker)
    bundles = follow_logs(lab.client, lab.paths, tail=1)
    assert texts_of(next(bundles)) == ["I am 0"]

    lab.apply(lab.plan(replace(talker, replicas=3)))
    seen: list[str] = []
    while len(seen) < 2:
        seen += texts_of(next(bundles))

    assert sorted(seen) == ["I am 1", "I am 2"]


def test_secrets_are_read_nowhere(lab: StackLab, wait_until: Callable[..., None]) -> None:
    lab.start()
    says = f"echo 'it is {SECRET}'"
    check = HealthCheck(type=CheckType.EXEC, command=("sh", "-c", f"{says}; exit 1"))
    plan = lab.plan(
        lab.shell("owner", f"{says}; exec sleep 1000", env={"P": SECRET}, secrets=frozenset({"P"})),
        # It is told the value by its owner, and nobody marked it there.
        lab.shell("other", f"{says} >&2; {says}; exec sleep 1000"),
        replace(lab.service("sick"), check=replace(check, interval_seconds=0.1)),
        lab.shell("failing", f"{says}; exit 3"),
    )
    copied = lab.home / "all.log"
    stream = lab.client.apply(plan_to_json(plan), time.time(), log_file=str(copied))
    for item in stream:
        if item.get("event", {}).get("kind") == "service.failed":
            break
    lab.wait_for_service("sick", lambda service: "it is" in service["reason"])
    wait_until(lambda: copied.exists() and copied.read_text().count("it is") >= 4)

    shown = {
        "logs": json.dumps(list(lab.client.logs())),
        "status": json.dumps(lab.client.status()),
        "events": json.dumps(list(lab.client.events())) + lab.paths.events.read_text(),
        "copy": copied.read_text(),
    }
    list(lab.client.stop())
    lines = list(read_logs(lab.paths.logs, redactor=load_redactor(lab.paths)))
    shown["files of a stopped stack"] = json.dumps([line.text for line in lines])

    for surface, text in shown.items():
        assert SECRET not in text, surface
    assert "it is \\u2022" in shown["logs"]
    assert "it is \\u2022" in shown["status"]
    assert len(lines) >= 4
    assert stat.S_IMODE(lab.paths.hidden.stat().st_mode) == 0o600


def test_a_secret_of_a_service_that_comes_later_is_hidden_from_who_already_follows(
    lab: StackLab,
) -> None:
    first = lab.shell("first", "echo hello; exec sleep 1000")
    lab.start_with(first)
    stream = lab.client.logs(follow=True)
    assert next(stream)["text"] == "hello"

    secretive = lab.shell(
        "secretive", f"echo {SECRET}; exec sleep 1000", env={"P": SECRET}, secrets=frozenset({"P"})
    )
    lab.apply(lab.plan(first, secretive))

    assert next(stream)["text"] == "•••"


def test_the_copy_of_the_logs_goes_on_when_the_daemon_is_killed_and_has_each_line_once(
    lab: StackLab, wait_until: Callable[..., None]
) -> None:
    lab.start()
    target = lab.home / "all.log"
    counter = "number=0; while :; do number=$((number + 1)); echo $number; sleep 0.001; done"
    lab.apply(lab.plan(lab.shell("counter", counter)), log_file=str(target))

    copied = 0
    for _ in range(3):
        wait_until(lambda: target.exists() and target.read_bytes().count(b"\n") > copied + 100)  # noqa: B023 - called at once
        os.kill(lab.daemon_pid(), signal.SIGKILL)
        copied = target.read_bytes().count(b"\n")
    # So that a daemon is there to be asked.
    wait_until(lambda: target.read_bytes().count(b"\n") > copied + 100)
    list(lab.client.stop())

    numbers = [int(line.split()[2]) for line in target.read_text().splitlines()]
    assert numbers == list(range(1, len(numbers) + 1))
    written = [line.text for line in read_logs(lab.paths.logs, ["counter"])]
    assert numbers == [int(text) for text in written]


def test_a_copy_that_cannot_be_written_is_told_in_the_status_and_harms_nobody(
    lab: StackLab, wait_until: Callable[..., None]
) -> None:
    lab.start()
    talker = lab.shell("talker", "echo hello; exec sleep 1000")

    result = lab.apply(lab.plan(talker), log_file="/dev/full")[1]

    assert result["outcome"] == "ready"
    wait_until(lambda: any("/dev/full" in note for note in lab.client.status()["notes"]))
    notes = [note for note in lab.client.status()["notes"] if "/dev/full" in note]
    assert len(notes) == 1
    assert "no space left on device" in notes[0]


def test_many_positions_fit_in_one_request(lab: StackLab) -> None:
    lab.start_with(lab.shell("talker", "echo one; exec sleep 1000"))
    line = next(lab.client.logs(["talker"], follow=True))
    after = {f"a-service-with-a-long-name-{number}#0": line["sequence"] for number in range(500)}

    assert list(lab.client.logs(["talker"], after={**after, "talker#0": line["sequence"]})) == []


def test_lines_of_any_size_and_kind_arrive_whole(lab: StackLab) -> None:
    program = """
import sys, time
write = sys.stdout.buffer.write
write(b"x" * 1_000_000 + b"\\n")
write(bytes(range(256)).replace(b"\\n", b"") + b"\\n")
write(b"10 %\\r50 %\\r100 %\\n")
write("caf\\u00e9 \\U0001f600\\n".encode())
sys.stdout.flush()
time.sleep(1000)
"""
    lab.start_with(lab.python("talker", program))
    lines = lab.client.logs(["talker"], follow=True)

    texts = [next(lines)["text"] for _ in range(4)]

    assert texts[0] == "x" * 1_000_000
    assert texts[1] == bytes(range(256)).replace(b"\n", b"").decode(errors="replace")
    assert texts[2:] == ["10 %\r50 %\r100 %", "café 😀"]


def test_a_spoilt_record_of_old_secrets_keeps_no_daemon_from_its_work(
    lab: StackLab, wait_until: Callable[..., None]
) -> None:
    secretive = lab.shell(
        "secretive", f"echo {SECRET}; exec sleep 1000", env={"P": SECRET}, secrets=frozenset({"P"})
    )
    lab.start_with(secretive)
    lab.paths.hidden.write_text("[")
    killed = lab.daemon_pid()
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: lab.daemon_pid() != killed)

    status = lab.client.status()

    assert any("hidden.json" in note for note in status["notes"])
    assert texts_of(lab.client.logs()) == ["•••"]
