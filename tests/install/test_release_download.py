"""Weather on the way: what is cut, slow, refused or changed, and what is left of it."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import resource
import signal
import socket
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import ConfigError, PrismError, UnavailableError
from prismctl.install.release.connection import MAX_SMALL_BYTES
from prismctl.install.release.part import open_part
from prismctl.install.release.patience import Patience
from prismctl.install.release.writing import writing
from prismctl.install.tools import NOMAD
from tests.free_ports import take_port
from tests.install.release_lab import ARCHIVE, PROGRAM, SUMS, TARGET, make_archive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from prismctl.install.provider import Progress
    from tests.install.release_lab import ReleaseLab


# What is missing, or ill.


@pytest.mark.parametrize("name", ["index.json", ARCHIVE])
async def test_what_is_missing_is_offered_by_nobody_and_named(lab: ReleaseLab, name: str) -> None:
    del lab.files[name]
    with pytest.raises(UnavailableError, match=f"there is no {lab.url}/nomad/1.11.3/{name} "):
        await lab.offer()


@pytest.mark.parametrize("name", [SUMS, f"{SUMS}.sig", ARCHIVE])
async def test_what_goes_missing_later_is_unavailable_and_named(lab: ReleaseLab, name: str) -> None:
    offer = await lab.offer()
    del lab.files[name]
    with pytest.raises(UnavailableError, match=f"there is no {lab.url}/nomad/1.11.3/{name} "):
        await lab.get(offer)
    assert not lab.left()


@pytest.mark.parametrize("name", ["index.json", SUMS, f"{SUMS}.sig", ARCHIVE])
async def test_a_server_that_recovers_is_asked_again(lab: ReleaseLab, name: str) -> None:
    lab.behaviours[name] = [lab.answer(500), lab.answer(503), lab.behave_well]
    assert (await lab.get()).path.read_bytes() == PROGRAM
    assert lab.waits == [0.5, 1.0]


@pytest.mark.parametrize("name", ["index.json", SUMS, f"{SUMS}.sig", ARCHIVE])
async def test_a_server_that_stays_ill_is_unavailable_after_five_tries(
    lab: ReleaseLab, name: str
) -> None:
    lab.behaviours[name] = [lab.answer(500)]
    with pytest.raises(UnavailableError, match=f"{name} answered 500"):
        await lab.get()
    assert len(lab.asked(name)) == 5
    assert lab.waits == [0.5, 1.0, 2.0, 4.0]
    assert not lab.left()


async def test_a_server_that_asks_to_wait_is_waited_for(lab: ReleaseLab) -> None:
    lab.behaviours["index.json"] = [lab.answer(429, Retry_After="17"), lab.behave_well]
    await lab.offer()
    assert lab.waits == [17.0]


async def test_a_server_that_names_a_time_is_waited_for_until_then(lab: ReleaseLab) -> None:
    later = lab.answer(
        503,
        Date="Wed, 21 Oct 2026 07:28:00 GMT",
        Retry_After="Wed, 21 Oct 2026 07:28:09 GMT",
    )
    lab.behaviours["index.json"] = [later, lab.behave_well]
    await lab.offer()
    assert lab.waits == [9.0]


async def test_a_server_that_asks_for_an_hour_is_not_waited_for(lab: ReleaseLab) -> None:
    lab.behaviours["index.json"] = [lab.answer(429, Retry_After="3600")]
    with pytest.raises(UnavailableError, match="answered 429 and asks to come back in 3600 s"):
        await lab.offer()
    assert not lab.waits


async def test_a_refusal_is_not_asked_again(lab: ReleaseLab) -> None:
    lab.behaviours["index.json"] = [lab.answer(403)]
    with pytest.raises(UnavailableError, match=r"index\.json answered 403"):
        await lab.offer()
    assert len(lab.asked("index.json")) == 1


@pytest.mark.parametrize("status", [403, 405, 500, 501])
async def test_a_size_that_nobody_tells_is_not_known(lab: ReleaseLab, status: int) -> None:
    lab.heads[ARCHIVE] = lab.answer(status)
    assert (await lab.offer()).size_bytes is None
    assert (await lab.get()).path.read_bytes() == PROGRAM


# Redirects.


async def test_a_redirect_is_followed(lab: ReleaseLab) -> None:
    lab.files["moved.zip"] = lab.files[ARCHIVE]
    lab.behaviours[ARCHIVE] = [lab.answer(302, Location="/elsewhere/moved.zip?token=geheim")]
    assert (await lab.get()).path.read_bytes() == PROGRAM
    assert len(lab.asked("moved.zip")) == 1


async def test_a_redirect_that_leads_in_circles_ends(lab: ReleaseLab) -> None:
    lab.behaviours["index.json"] = [lab.answer(301, Location="index.json")]
    with pytest.raises(UnavailableError, match="redirected more than 5 times"):
        await lab.offer()
    assert len(lab.asked("index.json")) == 6


async def test_a_redirect_to_an_unencrypted_page_is_not_followed(lab: ReleaseLab) -> None:
    page = lab.answer(302, Location="http://login.invalid/?who=me")
    lab.behaviours["index.json"] = [page]
    with pytest.raises(
        PrismError, match=r"http://login\.invalid/, which is not encrypted"
    ) as caught:
        await lab.offer()
    assert not isinstance(caught.value, UnavailableError)


async def test_a_redirect_to_a_file_is_not_followed(lab: ReleaseLab) -> None:
    lab.behaviours["index.json"] = [lab.answer(302, Location="file:///etc/passwd")]
    with pytest.raises(UnavailableError, match="redirected to nowhere"):
        await lab.offer()


# Something else than what was asked for.


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("index.json", "JSON"),
        (SUMS, "a list of checksums"),
        (f"{SUMS}.sig", "a signature"),
        (ARCHIVE, "an archive"),
    ],
)
async def test_a_login_page_in_between_is_recognized(lab: ReleaseLab, name: str, what: str) -> None:
    page = b"<!doctype html><title>Welcome to our hotel</title>"
    lab.behaviours[name] = [lab.answer(200, page, Content_Type="text/html")]
    with pytest.raises(
        PrismError, match=f"{name} answered with a web page, not {what}: is there a login page"
    ) as caught:
        await lab.get()
    assert not isinstance(caught.value, UnavailableError), "nobody else could do better"
    assert not lab.left()


async def test_a_login_page_that_says_it_is_json_is_recognized(lab: ReleaseLab) -> None:
    lab.behaviours["index.json"] = [
        lab.answer(200, b"\n <html></html>", Content_Type="application/json")
    ]
    with pytest.raises(PrismError, match="answered with a web page, not JSON"):
        await lab.offer()


@pytest.mark.parametrize(
    "body", [b"", b"nothing", b"[]", b'{"builds": 1}', b'{"builds": [{}]}', b"[" * 100_000]
)
async def test_an_index_that_is_none_is_refused(lab: ReleaseLab, body: bytes) -> None:
    lab.files["index.json"] = body
    with pytest.raises(PrismError, match=r"index\.json answered with something that is not"):
        await lab.offer()


async def test_an_index_without_an_end_is_not_read_to_it(lab: ReleaseLab) -> None:
    lab.files["index.json"] = b"[" + b" " * (MAX_SMALL_BYTES * 8)
    with pytest.raises(PrismError, match="answered with more than 1 MiB"):
        await lab.offer()


async def test_a_version_without_a_build_for_this_machine_says_what_there_is(
    lab: ReleaseLab,
) -> None:
    lab.files["index.json"] = json.dumps({"builds": [{"os": "plan9", "arch": "mips"}]}).encode()
    with pytest.raises(
        UnavailableError,
        match=r"Nomad 1\.11\.3 is not released for linux_amd64, but for plan9_mips",
    ):
        await lab.offer()


# Cuts, and what comes after them.


async def test_a_download_that_was_cut_goes_on_where_it_was(lab: ReleaseLab) -> None:
    lab.behaviours[ARCHIVE] = [lab.cut(), lab.behave_well]
    assert (await lab.get()).path.read_bytes() == PROGRAM
    first, second = lab.asked(ARCHIVE)
    assert "Range" not in first
    assert second["Range"].startswith("bytes=")
    assert int(second["Range"].removeprefix("bytes=").removesuffix("-")) > 1 << 18
    assert second["If-Range"]
    done = [report.done for report in lab.reports]
    assert done == sorted(done), "nothing is fetched twice"
    assert len(lab.waits) == 1


async def test_a_download_that_cannot_go_on_is_resumed_the_next_time(lab: ReleaseLab) -> None:
    lab.behaviours[ARCHIVE] = [lab.cut(), lab.cut(0.0)]
    with pytest.raises(UnavailableError, match="was cut on its way"):
        await lab.get()
    assert len(lab.asked(ARCHIVE)) == 5
    assert lab.part.stat().st_size > 0, "what was fetched stays for the next time"
    lab.behaviours.clear()
    lab.requests.clear()
    assert (await lab.get()).path.read_bytes() == PROGRAM
    assert "Range" in lab.asked(ARCHIVE)[0]


async def test_a_download_that_gets_further_is_never_given_up(lab: ReleaseLab) -> None:
    lab.publish(make_archive(padding=os.urandom(16 << 20)))
    lab.behaviours[ARCHIVE] = [*(lab.cut(0.2) for _ in range(8)), lab.behave_well]
    assert (await lab.get()).path.read_bytes() == PROGRAM
    assert len(lab.asked(ARCHIVE)) == 9


async def test_a_server_that_knows_no_ranges_is_asked_for_everything_again(
    lab: ReleaseLab,
) -> None:
    lab.behaviours[ARCHIVE] = [lab.cut(), lab.ignore_range]
    assert (await lab.get()).path.read_bytes() == PROGRAM
    assert 0 in [report.done for report in lab.reports[1:]]


async def test_a_part_of_another_archive_is_thrown_away(lab: ReleaseLab) -> None:
    lab.behaviours[ARCHIVE] = [lab.cut()]
    with pytest.raises(UnavailableError):
        await lab.get()
    lab.publish(make_archive(padding=os.urandom(4 << 20)))
    lab.behaviours.clear()
    assert (await lab.get()).path.read_bytes() == PROGRAM


async def test_a_server_that_continues_elsewhere_is_not_believed(lab: ReleaseLab) -> None:
    wrong = lab.answer(206, b"xxxx", Content_Range="bytes 4-7/8")
    lab.behaviours[ARCHIVE] = [lab.cut(), wrong, lab.behave_well]
    assert (await lab.get()).path.read_bytes() == PROGRAM
    assert "Range" not in lab.asked(ARCHIVE)[-1]


async def test_a_range_beyond_the_end_starts_over(lab: ReleaseLab) -> None:
    lab.behaviours[ARCHIVE] = [lab.cut(), lab.answer(416), lab.behave_well]
    assert (await lab.get()).path.read_bytes() == PROGRAM
    assert "Range" not in lab.asked(ARCHIVE)[-1]


async def test_without_anything_to_recognize_it_by_an_archive_is_fetched_from_its_beginning(
    lab: ReleaseLab,
) -> None:
    lab.has_validator = False
    lab.behaviours[ARCHIVE] = [lab.cut(), lab.behave_well]
    assert (await lab.get()).path.read_bytes() == PROGRAM
    assert "Range" not in lab.asked(ARCHIVE)[-1]


async def test_a_part_that_is_whole_is_not_fetched_again(lab: ReleaseLab) -> None:
    lab.behaviours[ARCHIVE] = [lab.cut()]
    with pytest.raises(UnavailableError):
        await lab.get()
    lab.part.write_bytes(lab.files[ARCHIVE])
    lab.behaviours.clear()
    lab.requests.clear()
    assert (await lab.get()).path.read_bytes() == PROGRAM
    assert not lab.asked(ARCHIVE)


async def test_a_note_that_was_torn_is_not_believed(lab: ReleaseLab) -> None:
    lab.behaviours[ARCHIVE] = [lab.cut()]
    with pytest.raises(UnavailableError):
        await lab.get()
    note = lab.workspace / f"{ARCHIVE}.part.json"
    note.write_text(note.read_text()[:20])
    lab.behaviours.clear()
    lab.requests.clear()
    assert (await lab.get()).path.read_bytes() == PROGRAM
    assert "Range" not in lab.asked(ARCHIVE)[0]


async def test_a_download_that_stalls_is_asked_again(lab: ReleaseLab) -> None:
    lab.behaviours[ARCHIVE] = [lab.stall(), lab.behave_well]
    assert (await lab.get(patience=quick(lab))).path.read_bytes() == PROGRAM
    assert "Range" in lab.asked(ARCHIVE)[-1]


async def test_a_download_that_always_stalls_is_unavailable(lab: ReleaseLab) -> None:
    lab.behaviours[ARCHIVE] = [lab.stall(0.0)]
    with pytest.raises(UnavailableError, match="stopped sending"):
        await lab.get(patience=quick(lab, tries=2))
    assert len(lab.asked(ARCHIVE)) == 2
    assert not lab.left(), "nothing was fetched"


async def test_a_small_document_that_drips_is_not_waited_for(lab: ReleaseLab) -> None:
    lab.behaviours["index.json"] = [lab.stall()]
    with pytest.raises(UnavailableError, match=r"did not answer within 0\.2 s"):
        await lab.offer(patience=quick(lab, tries=2, read_seconds=60.0, small_seconds=0.2))


# Sizes.


async def test_an_archive_that_announces_too_much_is_not_begun(lab: ReleaseLab) -> None:
    lab.behaviours[ARCHIVE] = [lab.announce(1 << 31)]
    with pytest.raises(PrismError, match=f"announces {1 << 31} bytes"):
        await lab.get()
    assert not lab.left()


async def test_an_archive_that_announces_nothing_is_fetched(lab: ReleaseLab) -> None:
    lab.behaviours[ARCHIVE] = [lab.send_in_chunks]
    assert (await lab.get()).path.read_bytes() == PROGRAM
    assert lab.reports[-1].total is None


async def test_an_archive_that_is_larger_than_announced_is_cut_off(lab: ReleaseLab) -> None:
    offer = await lab.offer()
    lab.files[ARCHIVE] += b"x" * (1 << 20)
    lab.behaviours[ARCHIVE] = [lab.send_in_chunks]
    with pytest.raises(PrismError, match="more than"):
        await lab.get(offer)
    assert not lab.left()


async def test_an_archive_that_is_shorter_than_announced_is_never_whole(lab: ReleaseLab) -> None:
    lab.behaviours[ARCHIVE] = [lab.announce(len(lab.files[ARCHIVE]) + 10)]
    with pytest.raises(UnavailableError):
        await lab.get()


# The disk.


async def test_a_full_disk_is_named(lab: ReleaseLab) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    try:
        with pytest.raises(PrismError, match=r"cannot write .*\.part: File too large") as caught:
            await lab.get()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "ulimit -f" in caught.value.hint
    assert lab.part.stat().st_size == 1 << 16
    assert (await lab.get()).path.read_bytes() == PROGRAM, "with space, it goes on"


def test_a_disk_without_space_says_how_to_look(tmp_path: Path) -> None:
    with (
        pytest.raises(PrismError, match=f"cannot write {tmp_path}/x: No space left") as caught,
        writing(tmp_path / "x"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert "df -h" in caught.value.hint


def test_a_workspace_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir(mode=0o555)
    account = os.geteuid()
    if account == 0:
        # For root, nothing is forbidden.
        os.seteuid(65534)
    try:
        with (
            pytest.raises(PrismError, match=r"cannot write .*x\.part: Permission denied") as caught,
            open_part(workspace / "x.part"),
        ):
            pass
    finally:
        os.seteuid(account)
    assert "PRISM_HOME" in caught.value.hint


async def test_a_workspace_that_is_a_file_is_named(lab: ReleaseLab) -> None:
    lab.workspace.rmdir()
    lab.workspace.write_text("")
    with pytest.raises(PrismError, match="cannot write"):
        await lab.get()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/etc/passwd")])
async def test_what_is_no_file_is_not_written_to(
    lab: ReleaseLab, make: Callable[[Path], None]
) -> None:
    make(lab.part)
    with pytest.raises(PrismError, match=r"\.part"):
        await lab.get()


async def test_one_archive_is_fetched_by_one_process_at_a_time(lab: ReleaseLab) -> None:
    with (
        open_part(lab.part),
        pytest.raises(PrismError, match=f"another process is fetching {ARCHIVE}"),
    ):
        await lab.get()


# Interruptions.


async def test_a_cancelled_download_leaves_a_part_to_go_on_with(lab: ReleaseLab) -> None:
    lab.behaviours[ARCHIVE] = [lab.stall(), lab.behave_well]
    provider = lab.provider()
    offer = await provider.offer(lab.tool, NOMAD.version)
    has_some = asyncio.Event()

    def report(progress: Progress) -> None:
        if progress.done:
            has_some.set()

    getting = asyncio.create_task(provider.provide(offer, lab.workspace, report))
    await has_some.wait()
    getting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await getting
    assert lab.left() == {f"{ARCHIVE}.part", f"{ARCHIVE}.part.json"}
    assert stat.S_IMODE(lab.part.stat().st_mode) == 0o600
    assert (await lab.get()).path.read_bytes() == PROGRAM


async def test_a_killed_download_goes_on_in_the_next_process(lab: ReleaseLab) -> None:
    lab.behaviours[ARCHIVE] = [lab.stall(), lab.behave_well]
    lab.behaviours["index.json"] = [lab.behave_well]
    code = f"""
import asyncio, os, sys
from pathlib import Path
from prismctl.install.release.provider import ReleaseProvider
from prismctl.install.target import Target
from prismctl.install.tools import NOMAD
from dataclasses import replace

def report(progress):
    if progress.done > 1 << 18:
        os.kill(os.getpid(), {signal.SIGKILL})

async def main():
    provider = ReleaseProvider(base_url={lab.url!r}, key=sys.stdin.read(), target=Target(*{tuple(TARGET)!r}))
    offer = await provider.offer(replace(NOMAD, checksums={{}}), NOMAD.version)
    await provider.provide(offer, Path({str(lab.workspace)!r}), report)

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdin=asyncio.subprocess.PIPE
    )
    await process.communicate(lab.signer.public.encode())
    assert process.returncode == -signal.SIGKILL
    assert lab.left() == {f"{ARCHIVE}.part", f"{ARCHIVE}.part.json"}
    size = lab.part.stat().st_size
    assert size > 1 << 18
    assert (await lab.get()).path.read_bytes() == PROGRAM
    assert lab.asked(ARCHIVE)[-1]["Range"] == f"bytes={size}-"
    assert len(lab.left()) == 1


# The network itself.


async def test_without_a_network_it_is_unavailable_at_once(lab: ReleaseLab) -> None:
    url = f"https://127.0.0.1:{take_port()}"
    with pytest.raises(
        UnavailableError, match=r"127\.0\.0\.1 cannot be reached: connection refused"
    ):
        await lab.offer(base_url=url)
    assert not lab.waits


async def test_a_name_that_nobody_knows_is_unavailable_at_once(lab: ReleaseLab) -> None:
    with pytest.raises(UnavailableError, match=r"releases\.invalid has no address"):
        await lab.offer(base_url="https://releases.invalid")
    assert not lab.waits


async def test_a_server_that_accepts_and_says_nothing_is_unavailable(lab: ReleaseLab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(UnavailableError, match="cannot be reached: it does not answer"):
            await lab.offer(base_url=url, patience=quick(lab, connect_seconds=0.2))


async def test_a_network_that_goes_away_in_between_is_tried_again(lab: ReleaseLab) -> None:
    offer = await lab.offer()
    provider = lab.provider(base_url=f"http://127.0.0.1:{take_port()}")
    with pytest.raises(UnavailableError):
        await provider.provide(offer, lab.workspace, lab.reports.append)
    assert not lab.left()


# Mirrors.


async def test_the_environment_names_a_mirror_whatever_was_set(
    lab: ReleaseLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRISM_RELEASE_URL", f"{lab.url}/mirror/")
    offer = await lab.offer(base_url="https://set.invalid")
    assert offer.source == f"{lab.url}/mirror/nomad/1.11.3/{ARCHIVE}"


async def test_a_mirror_may_be_unencrypted(lab: ReleaseLab) -> None:
    url = lab.url
    async with lab.serve(None):
        assert lab.url.startswith("http://")
        provided = await lab.get()
    assert provided.path.read_bytes() == PROGRAM
    lab.url = url


async def test_the_password_of_a_mirror_is_sent_and_never_shown(lab: ReleaseLab) -> None:
    url = lab.url.replace("https://", "https://reader:geheim@")
    offer = await lab.offer(base_url=url)
    assert "geheim" not in repr(offer)
    assert lab.asked("index.json")[0]["Authorization"].startswith("Basic ")
    lab.behaviours[ARCHIVE] = [lab.cut()]
    with pytest.raises(UnavailableError) as caught:
        await lab.get(base_url=url)
    assert "geheim" not in str(caught.value) + caught.value.hint
    assert "geheim" not in (lab.workspace / f"{ARCHIVE}.part.json").read_text()


@pytest.mark.parametrize(
    "url", ["ftp://x.example", "releases.example", "https://", "https://[", "http://x:99999"]
)
async def test_an_address_that_is_none_is_refused(lab: ReleaseLab, url: str) -> None:
    with pytest.raises(ConfigError, match="is not an address that releases can be fetched from"):
        lab.provider(base_url=url)


def quick(lab: ReleaseLab, **bounds: float) -> Patience:
    """Real bounds, short enough for a test to wait for them."""
    patience: Patience = lab.provider()._patience
    values = {"tries": 5, "read_seconds": 0.3, "connect_seconds": 20.0, "small_seconds": 20.0}
    return Patience(sleep=patience.sleep, **{**values, **bounds})  # type: ignore[arg-type] # by name
