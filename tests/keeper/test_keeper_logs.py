from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from prismctl.files.logs import LogFollower, read_logs
from prismctl.keeper.logs import MAX_TEXT_BYTES
from prismctl.keeper.protocol import KeeperEvent
from tests.small_disk import open_small_disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.keeper.conftest import RunningKeeper

COUNTING = """
import sys
write = sys.stdout.buffer.write
for block in range(0, %(lines)d, 1000):
    write(b"".join(b"line %%d of the flood\\n" %% number for number in range(block, block + 1000)))
sys.stdout.buffer.flush()
"""


def texts(data: bytes) -> list[bytes]:
    return [line.split(b" ", 3)[3] for line in data.split(b"\n")[:-1]]


async def run(keeper: RunningKeeper, script: str, **changes: object) -> bytes:
    await keeper.client.spawn(keeper.python("a", script, one_shot=True, **changes))
    await keeper.event(KeeperEvent.COMPLETED, "a")
    return keeper.log_bytes("a")


async def test_of_300_000_lines_none_is_lost_and_all_are_in_order(keeper: RunningKeeper) -> None:
    data = await run(keeper, COUNTING % {"lines": 300_000}, max_log_bytes=1 << 30)
    assert texts(data) == [b"line %d of the flood" % number for number in range(300_000)]


async def test_rotation_keeps_whole_lines_and_the_number_of_files(keeper: RunningKeeper) -> None:
    data = await run(keeper, COUNTING % {"lines": 20_000}, max_log_bytes=100_000, max_log_files=3)
    numbers = [int(text.split()[1]) for text in texts(data)]
    assert numbers == list(range(numbers[0], 20_000))
    files = sorted((keeper.directory / "logs").iterdir())
    assert [file.name for file in files] == ["a.log", "a.log.1", "a.log.2", "a.log.gone"]
    # The last one has how much was in those that are no more.
    assert all(file.stat().st_size <= 100_000 for file in files)
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


async def test_a_line_of_a_megabyte_is_written_in_parts(keeper: RunningKeeper) -> None:
    data = await run(keeper, "print('x' * 1_000_000 + 'y'); print('next')")
    tags = [line.split(b" ", 3)[2] for line in data.splitlines()]
    assert tags == [b"P", b"P", b"P", b"F", b"F"]
    parts = texts(data)
    assert b"".join(parts[:4]) == b"x" * 1_000_000 + b"y"
    assert max(len(part) for part in parts) == MAX_TEXT_BYTES
    assert parts[4] == b"next"


async def test_bytes_that_are_no_utf8_and_progress_bars_stay_as_they_are(
    keeper: RunningKeeper,
) -> None:
    script = r"import os; os.write(1, b'\xff\xfe\x00 10%\r 20%\r\n'); os.write(2, b'no end')"
    data = await run(keeper, script)
    assert sorted(line.split(b" ", 1)[1] for line in data.split(b"\n")[:-1]) == [
        b"stderr F no end",
        b"stdout F \xff\xfe\x00 10%\r 20%\r",
    ]


async def test_streams_are_told_apart_and_times_have_nanoseconds(keeper: RunningKeeper) -> None:
    await run(keeper, "import sys; print('to stdout'); print('to stderr', file=sys.stderr)")
    lines = list(read_logs(keeper.directory / "logs", ["a"]))
    assert {(line.stream, line.text) for line in lines} == {
        ("stdout", "to stdout"),
        ("stderr", "to stderr"),
    }
    assert all(len(line.time) == 30 and line.time.endswith("Z") for line in lines)


async def test_a_flood_does_not_delay_requests_or_the_output_of_others(
    keeper: RunningKeeper,
) -> None:
    flood = "import os\nblock = b'noise\\n' * 10_000\nwhile True: os.write(1, block)"
    for number in range(3):
        await keeper.client.spawn(keeper.python(f"flood{number}", flood, max_log_bytes=1 << 20))
    await keeper.until(lambda: b"noise" in keeper.log_bytes("flood2"))
    await keeper.client.spawn(keeper.shell("quiet", "echo heard; exec sleep 1000"))
    await keeper.until(lambda: b"F heard\n" in keeper.log_bytes("quiet"))
    assert len(await keeper.client.list()) == 4
    await keeper.client.shutdown(kill=True)


async def test_logs_go_on_in_the_same_file_after_a_restart(keeper: RunningKeeper) -> None:
    await keeper.client.spawn(keeper.shell("a", "echo run; exec sleep 1000"))
    await keeper.until(lambda: b"run" in keeper.log_bytes("a"))
    await keeper.client.restart("a")
    await keeper.until(lambda: keeper.log_bytes("a").count(b"run") == 2)


async def test_a_removed_log_is_begun_again_with_the_next_run(keeper: RunningKeeper) -> None:
    await keeper.client.spawn(keeper.shell("a", "echo run; exec sleep 1000"))
    await keeper.until(lambda: b"run" in keeper.log_bytes("a"))
    (keeper.directory / "logs" / "a.log").unlink()
    await keeper.client.restart("a")
    await keeper.until(lambda: keeper.log_bytes("a").count(b"run") == 1)


async def test_following_sees_every_line_of_a_service_across_rotations(
    keeper: RunningKeeper,
) -> None:
    script = """
import sys
for number in range(20_000):
    print("line", number, flush=number % 100 == 0)
"""
    path = keeper.directory / "logs" / "a.log"
    with LogFollower([path]) as follower:
        await keeper.client.spawn(
            keeper.python("a", script, one_shot=True, max_log_bytes=60_000, max_log_files=30)
        )
        seen: list[str] = []

        def is_complete() -> bool:
            seen.extend(line.text for line in follower.read_new())
            return len(seen) >= 20_000

        await keeper.until(is_complete)
    assert seen == [f"line {number}" for number in range(20_000)]
    assert (keeper.directory / "logs" / "a.log.5").exists()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    with open_small_disk() as path:
        yield path


async def test_a_full_disk_neither_blocks_the_service_nor_ends_the_log_for_ever(
    small_disk: Path, keeper: RunningKeeper
) -> None:
    log_path = small_disk / "a.log"
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 56 * 1024)
    script = (
        COUNTING % {"lines": 10_000}
        + """
import os, time
open("flooded", "w").write("0\\n")
while not os.path.exists("again"):
    time.sleep(0.005)
print("back again", flush=True)
while not os.path.exists("end"):
    time.sleep(0.005)
"""
    )
    await keeper.client.spawn(keeper.python("a", script, one_shot=True, log_path=str(log_path)))
    lost = await keeper.event(KeeperEvent.LOG_LOST, "a")
    assert lost.lost_log_lines > 0
    await keeper.pid_in("flooded")
    (before,) = await keeper.client.list()
    await keeper.until(lambda: "no space left" in keeper.own_log().lower())
    ballast.unlink()
    (keeper.directory / "again").touch()
    await keeper.until(lambda: b"F back again\n" in log_path.read_bytes())
    (keeper.directory / "end").touch()
    status = await keeper.event(KeeperEvent.COMPLETED, "a")
    written = texts(log_path.read_bytes())
    assert all(line.startswith(b"line ") for line in written[:-1])
    assert len(written) - 1 + status.lost_log_lines == 10_000
    assert status.lost_log_lines >= before.lost_log_lines
    assert [event for event, _ in keeper.told].count(KeeperEvent.LOG_LOST) == 1
    with contextlib.suppress(FileNotFoundError):
        log_path.unlink()
    await keeper.client.shutdown()


async def test_a_log_that_cannot_be_opened_does_not_stop_the_service(
    keeper: RunningKeeper,
) -> None:
    (keeper.directory / "file").touch()
    await keeper.client.spawn(
        keeper.shell("a", "echo lost", one_shot=True, log_path=str(keeper.directory / "file/a.log"))
    )
    status = await keeper.event(KeeperEvent.COMPLETED, "a")
    assert status.lost_log_lines == 1
