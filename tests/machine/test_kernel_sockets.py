"""Who listens, as the kernel tells it over netlink and in its tables."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack

import pytest

from prismctl.domain.host_port import PortProtocol
from prismctl.machine import holders, kernel_sockets
from prismctl.machine.kernel_sockets import (
    LISTENING,
    UNCONNECTED,
    KernelSocket,
    find_listeners,
    find_peer,
    find_sockets,
)


def bind(stack: ExitStack, family: int, address: str, port: int = 0) -> socket.socket:
    bound = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
    if family == socket.AF_INET6:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    bound.bind((address, port))
    return bound


def listen(stack: ExitStack, family: int, address: str, port: int = 0) -> socket.socket:
    listener = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((address, port))
    listener.listen()
    return listener


def own(listener: socket.socket) -> KernelSocket:
    state = LISTENING if listener.type == socket.SOCK_STREAM else UNCONNECTED
    return KernelSocket(state, os.getuid(), os.fstat(listener.fileno()).st_ino)


def test_listeners_of_both_families_are_told_and_connections_are_not() -> None:
    with ExitStack() as stack:
        first = listen(stack, socket.AF_INET, "127.0.0.1")
        port = first.getsockname()[1]
        second = listen(stack, socket.AF_INET6, "::1", port)
        client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        served = stack.enter_context(first.accept()[0])

        assert set(find_listeners(port)) == {own(first), own(second)}
        assert find_listeners(client.getsockname()[1]) == []
        assert os.fstat(served.fileno()).st_ino in {each.inode for each in find_sockets(port)}
    assert find_listeners(port) == []


@pytest.mark.parametrize(
    ("family", "bound", "reached"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET6, "::1", "::1"),
        (socket.AF_INET6, "::", "127.0.0.1"),
    ],
)
def test_the_other_end_of_a_connection_is_who_accepted_it_and_no_later_listener(
    family: int, bound: str, reached: str
) -> None:
    with ExitStack() as stack:
        listener = socket.create_server((bound, 0), family=family, dualstack_ipv6=bound == "::")
        stack.enter_context(listener)
        port = listener.getsockname()[1]
        client = stack.enter_context(socket.create_connection((reached, port)))
        assert find_peer(client) == [own(listener)]

        served = stack.enter_context(listener.accept()[0])
        listener.close()
        (found,) = find_peer(client)

        assert (found.user_id, found.inode) == (os.getuid(), os.fstat(served.fileno()).st_ino)
        served.close()
        assert find_peer(client) == []


def test_the_tables_tell_the_same_where_there_is_no_netlink(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ExitStack() as stack:
        listener = listen(stack, socket.AF_INET, "127.0.0.1")
        port = listener.getsockname()[1]
        told = find_listeners(port)
        monkeypatch.setattr(kernel_sockets, "_NETLINK_SOCK_DIAG", 31)  # nobody answers there
        assert find_listeners(port) == told == [own(listener)]


def test_bound_udp_sockets_are_told_and_those_of_the_other_protocol_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ExitStack() as stack:
        first = bind(stack, socket.AF_INET, "127.0.0.1")
        port = first.getsockname()[1]
        second = bind(stack, socket.AF_INET6, "::1", port)
        client = bind(stack, socket.AF_INET, "127.0.0.1")
        client.connect(("127.0.0.1", port))

        assert set(find_listeners(port, PortProtocol.UDP)) == {own(first), own(second)}
        assert find_listeners(port) == []
        assert find_listeners(client.getsockname()[1], PortProtocol.UDP) == []
        assert len(find_sockets(client.getsockname()[1], PortProtocol.UDP)) == 1
        monkeypatch.setattr(kernel_sockets, "_NETLINK_SOCK_DIAG", 31)  # nobody answers there
        assert set(find_listeners(port, PortProtocol.UDP)) == {own(first), own(second)}
    assert find_listeners(port, PortProtocol.UDP) == []


def test_the_tables_tell_about_udp_where_the_kernel_has_no_part_that_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nobody = kernel_sockets._ASKED[PortProtocol.UDP]._replace(number=socket.IPPROTO_SCTP)
    with ExitStack() as stack:
        bound = bind(stack, socket.AF_INET, "127.0.0.1")
        monkeypatch.setitem(kernel_sockets._ASKED, PortProtocol.UDP, nobody)
        assert find_listeners(bound.getsockname()[1], PortProtocol.UDP) == [own(bound)]


def test_many_listeners_do_not_hide_one() -> None:
    with ExitStack() as stack:
        listeners = [listen(stack, socket.AF_INET, "127.0.0.1") for _ in range(300)]
        for each in listeners[::50]:
            assert find_listeners(each.getsockname()[1]) == [own(each)]


def test_a_port_is_answered_by_the_process_that_has_it_and_by_no_other() -> None:
    with ExitStack() as stack:
        port = listen(stack, socket.AF_INET, "0.0.0.0").getsockname()[1]
        assert holders.is_answered_by(os.getpid(), port)
        child = os.fork()
        if child == 0:
            stack.close()
            os._exit(0 if not holders.is_answered_by(os.getpid(), port) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not holders.is_answered_by(os.getpid(), port)
