"""Listening on a port, and saying plainly why it cannot be done."""

from __future__ import annotations

import errno
import os
import socket

from prism_services.serving.failure import ServiceError


def listening_socket(host: str, port: int, *, flag: str) -> socket.socket:
    """A socket that listens on ``host:port``; 0 takes a free port."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise ServiceError(
            f"cannot listen on `{host}`: {error.strerror}", hint="give an address with `--listen`"
        ) from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise _unusable(host, port, flag, error) from error
    listener.setblocking(False)
    return listener


def bound_port(listener: socket.socket) -> int:
    """The port a socket is bound to."""
    number: int = listener.getsockname()[1]
    return number


def why_not(host: str, port: int, *, flag: str) -> ServiceError:
    """Why a library that only says "failed to bind" could not listen."""
    try:
        listening_socket(host, port, flag=flag).close()
    except ServiceError as error:
        return error
    return ServiceError(f"cannot listen on {host}:{port}", hint=f"choose another with `{flag}`")


def authority(host: str, port: int) -> str:
    """``host:port`` as it is typed, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _unusable(host: str, port: int, flag: str, error: OSError) -> ServiceError:
    if error.errno == errno.EADDRINUSE:
        return ServiceError(
            f"port {port} on {host} is already in use",
            hint=f"`ss -ltnp 'sport = :{port}'` shows by whom; `{flag} 0` takes a free port",
        )
    reason = os.strerror(error.errno) if error.errno else str(error)
    return ServiceError(
        f"cannot listen on {authority(host, port)}: {reason.lower()}",
        hint=f"choose another port with `{flag}` or another address with `--listen`",
    )
