from __future__ import annotations

import asyncio
import errno
import socket

import pytest

from prismctl.probes.connect import describe_failure


@pytest.mark.parametrize("number", [socket.EAI_NONAME, socket.EAI_NODATA])
def test_a_host_that_does_not_resolve_is_no_such_host(number: int) -> None:
    error = socket.gaierror(number, "Name or service not known")
    assert describe_failure(error, "nowhere", 6379) == "no such host at nowhere:6379"


def test_a_name_server_that_is_silent_is_told_apart() -> None:
    error = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    words = describe_failure(error, "nowhere", 6379)
    assert words == "no such host (no name server answers for it) at nowhere:6379"


def test_other_troubles_with_a_name_are_told_in_the_resolver_s_words() -> None:
    error = socket.gaierror(socket.EAI_FAMILY, "ai_family not supported")
    assert describe_failure(error, "h", 1) == "ai_family not supported at h:1"


def test_the_system_s_own_numbers_keep_their_words() -> None:
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    assert describe_failure(refused, "h", 1) == "connection refused at h:1"


async def test_a_name_that_cannot_be_looked_up_is_never_an_unknown_error() -> None:
    loop = asyncio.get_running_loop()
    with pytest.raises(OSError) as raised:  # noqa: PT011 - which one is what is asked
        await loop.getaddrinfo("nowhere.invalid", 6379)
    assert "unknown error" not in describe_failure(raised.value, "nowhere.invalid", 6379)
