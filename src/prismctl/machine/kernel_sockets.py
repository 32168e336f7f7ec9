"""The kernel's list of sockets at a port, on Linux.

Listeners are asked for over netlink (``man 7 sock_diag``): ``/proc/net/tcp`` walks the table of all connections, which
takes milliseconds however few there are.
"""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.domain.host_port import PortProtocol

if TYPE_CHECKING:
    from collections.abc import Iterator

LISTENING: Final = 10
TIME_WAIT: Final = 6
UNCONNECTED: Final = 7
"""States, as ``include/net/tcp_states.h`` numbers them. One of UDP that takes datagrams from anybody is unconnected."""


class _Asked(NamedTuple):
    """How the kernel is asked about one protocol."""

    number: int
    listening: int
    """The state of a socket that takes what anybody sends."""
    tables: tuple[str, str]


_ASKED: Final = {
    PortProtocol.TCP: _Asked(socket.IPPROTO_TCP, LISTENING, ("/proc/net/tcp", "/proc/net/tcp6")),
    PortProtocol.UDP: _Asked(socket.IPPROTO_UDP, UNCONNECTED, ("/proc/net/udp", "/proc/net/udp6")),
}

_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_REQUEST_DUMP: Final = 0x301
_REQUEST_ONE: Final = 0x1
_ERROR: Final = 2
_DONE: Final = 3
_HEADER: Final = struct.Struct("=IHHII")
"""``struct nlmsghdr``: length, type, flags, sequence, port."""
_QUESTION: Final = struct.Struct("=BBBBI2s46x")
"""``struct inet_diag_req_v2``: family, protocol, extensions, padding, a bit for each state, and the port."""
_ONE: Final = struct.Struct("=BBBBIHH16s16sI8s")
"""The same with all that names one connection: its ports and addresses, any interface, and that nothing more is known."""
_NO_COOKIE: Final = b"\xff" * 8
_ANSWER: Final = struct.Struct("=BB2x2s46x12xII")
"""``struct inet_diag_msg``: family, state, port, user, inode."""
_RESULT: Final = struct.Struct("=i")
"""What stands at the end of an answer: zero, or a negative error number."""
_ANSWER_SECONDS: Final = 1.0
_BUFFER_BYTES: Final = 65536


class KernelSocket(NamedTuple):
    """One socket at a port."""

    state: int
    user_id: int
    inode: int

    @property
    def name(self) -> str:
        """How ``/proc/PID/fd`` calls it."""
        return f"socket:[{self.inode}]"


def is_known() -> bool:
    """Whether this system tells."""
    return os.path.exists(_ASKED[PortProtocol.TCP].tables[0])  # noqa: PTH110 - asked often


def find_listeners(number: int, protocol: PortProtocol = PortProtocol.TCP) -> list[KernelSocket]:
    """Who listens at a port, at whatever address of this machine."""
    asked = _ASKED[protocol]
    try:
        families = (socket.AF_INET, socket.AF_INET6)
        return [each for family in families for each in _ask_kernel(family, number, asked)]
    except OSError:
        # A sandbox may know no netlink, and a kernel may be without the part that knows about UDP.
        found = find_sockets(number, protocol)
        return [each for each in found if each.state == asked.listening]


def find_peer(connection: socket.socket) -> list[KernelSocket]:
    """The other end of a TCP connection, where it is on this machine; who listens there, until it was accepted.

    Nothing where the other end is elsewhere, in a container's own network among others, or where the kernel does not tell.
    """
    if not is_known():
        return []
    try:
        found = list(_ask_about_peer(connection))
    except OSError:
        return []
    # One that nobody has accepted, or that was let go of, belongs to nobody yet.
    return [each for each in found if each.inode] or (
        find_listeners(connection.getpeername()[1]) if found else []
    )


def find_sockets(number: int, protocol: PortProtocol = PortProtocol.TCP) -> list[KernelSocket]:
    """Whatever has a port at this end, connections and ended ones included."""
    wanted = f":{number:04X}"
    found = []
    for table in _ASKED[protocol].tables:
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            if words[1].endswith(wanted):
                found.append(KernelSocket(int(words[3], 16), int(words[7]), int(words[9])))
    return found


def _ask_kernel(family: int, number: int, asked: _Asked) -> Iterator[KernelSocket]:
    question = _QUESTION.pack(
        family, asked.number, 0, 0, 1 << asked.listening, number.to_bytes(2, "big")
    )
    for state, port, user_id, inode in _exchange(question, _REQUEST_DUMP):
        if port == number:
            yield KernelSocket(state, user_id, inode)


def _ask_about_peer(connection: socket.socket) -> Iterator[KernelSocket]:
    family = connection.family
    near, far = connection.getsockname(), connection.getpeername()
    addresses = (socket.inet_pton(family, each[0].partition("%")[0]) for each in (far, near))
    ports = (socket.htons(each[1]) for each in (far, near))
    question = _ONE.pack(
        family, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF, *ports, *addresses, 0, _NO_COOKIE
    )
    for state, _, user_id, inode in _exchange(question, _REQUEST_ONE):
        yield KernelSocket(state, user_id, inode)


def _exchange(question: bytes, flags: int) -> Iterator[tuple[int, int, int, int]]:
    """What the kernel answers: state, port, user and inode of each socket.

    Raises:
        OSError: it does not, or it knows of none.
    """
    length = _HEADER.size + len(question)
    header = _HEADER.pack(length, _SOCK_DIAG_BY_FAMILY, flags, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(_ANSWER_SECONDS)
        kernel.send(header + question)
        while True:
            for kind, content in _split(kernel.recv(_BUFFER_BYTES)):
                if kind == _ERROR or (kind == _DONE and _has_failed(content)):
                    raise OSError("the kernel does not answer about sockets")
                if kind == _DONE:
                    return
                _, state, port, user_id, inode = _ANSWER.unpack_from(content)
                yield state, int.from_bytes(port, "big"), user_id, inode
                if flags == _REQUEST_ONE:
                    return


def _has_failed(content: bytes) -> bool:
    return len(content) >= _RESULT.size and _RESULT.unpack_from(content)[0] < 0


def _split(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The messages of one answer: kind and content."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, offset)
        yield kind, data[offset + _HEADER.size : offset + length]
        # Messages begin at multiples of four.
        offset += max(length + 3 & ~3, _HEADER.size)
