"""Stands between Nomad and a service: waits for what the service needs, then becomes it.

Run by path (``python -I -S shim.py ENVIRONMENT_FILE RUN_FILE``), so it imports nothing of ours, and little of
Python's: what is not imported starts faster. The environment file is a sequence of entries ended by a zero byte,
``A`` argument, ``E`` variable, ``D`` working directory, ``C`` Consul's address, ``R`` where the service's guard writes
down that it refuses, ``W`` what to wait for: ``KIND NAME HOST PORT PATH``. The run file says, for whoever watches it, which process this is and what it is doing.

A dependency is good once Consul knows it and either Consul's check of it passes or the same check, made from here,
does: Consul makes its first one at a random moment within the interval. What Consul cannot check itself is good
once there is a key of that name (``KIND`` ``key``) and, where a port is given, that accepts.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the part of signal that costs nothing to load
import _socket
import os
import sys
import time

CONSUL_WAIT_SECONDS = 60
"""How long Consul keeps a question that it cannot answer with yes yet."""
RETRY_SECONDS = 0.1
"""Until the next question when Consul does not answer."""
CHECK_SECONDS = 2.0
"""How long one check of a dependency may take."""
PASSING_SECONDS = 1.0
"""How often Consul is asked for its own opinion meanwhile."""

EXIT_CANNOT_START = 127
EXIT_REFUSED = 78
HTTP_OK_CLASS = b" 2"
GRPC_PATH = b"/grpc.health.v1.Health/Check"
GRPC_SERVING = b"\x00\x00\x00\x00\x02\x08\x01"
"""A message of two bytes: field 1 (status) is 1 (SERVING)."""


class Wait:
    """One dependency, and how to tell that it is good."""

    def __init__(self, entry: str) -> None:
        self.kind, self.name, self.host, self.port, self.path = entry.split(" ", 4)

    def is_answering(self) -> bool:
        """Make the check that Consul makes."""
        try:
            if self.kind == "http":
                return self._answers_http()
            if self.kind == "grpc":
                return self._answers_grpc()
            connect(self.host, int(self.port), CHECK_SECONDS).close()
        except OSError:
            return False
        return True

    def _answers_http(self) -> bool:
        answer, _ = request(self.host, self.port, self.path, CHECK_SECONDS)
        return answer.split(b"\r\n", 1)[0][8:10] == HTTP_OK_CLASS

    def _answers_grpc(self) -> bool:
        """Ask the standard health service, for the server as a whole."""
        authority = f"{self.host}:{self.port}".encode()
        # HPACK without compression: indexed POST and http, literals for the rest.
        headers = b"".join(
            (
                b"\x83\x86",
                b"\x04%c" % len(GRPC_PATH) + GRPC_PATH,
                b"\x01%c" % len(authority) + authority,
                b"\x0f\x10\x10application/grpc",
                b"\x00\x02te\x08trailers",
            )
        )
        connection = connect(self.host, int(self.port), CHECK_SECONDS)
        try:
            connection.sendall(
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                + frame(4, 0, 0, b"")
                + frame(1, 4, 1, headers)
                + frame(0, 1, 1, b"\x00\x00\x00\x00\x00")
            )
            received = b""
            deadline = time.monotonic() + CHECK_SECONDS
            while time.monotonic() < deadline:
                chunk = connection.recv(65536)
                if not chunk:
                    return False
                received += chunk
                while len(received) >= 9:  # noqa: PLR2004 - every frame begins with nine bytes
                    size = int.from_bytes(received[:3], "big")
                    if len(received) < 9 + size:
                        break
                    kind, flags, stream = received[3], received[4], received[8]
                    payload, received = received[9 : 9 + size], received[9 + size :]
                    if kind == 0 and stream == 1 and payload:
                        return payload == GRPC_SERVING
                    if stream == 1 and (kind == 3 or (kind == 1 and flags & 1)):  # noqa: PLR2004 - RST_STREAM
                        return False
        finally:
            connection.close()
        return False


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One HTTP/2 frame."""
    head = len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big")
    return head + payload


def connect(host: str, port: int, seconds: float) -> _socket.socket:
    """A connection, in time or not at all."""
    connection = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    connection.settimeout(seconds)
    try:
        connection.connect((host, port))
    except OSError:
        connection.close()
        raise
    return connection


def request(host: str, port: str, path: str, seconds: float) -> tuple[bytes, bytes]:
    """Headers and body of an HTTP/1.0 answer, which ends when the connection does."""
    connection = connect(host, int(port), seconds)
    try:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n".encode())
        received = b""
        while True:
            chunk = connection.recv(65536)
            if not chunk:
                break
            received += chunk
    finally:
        connection.close()
    headers, _, body = received.partition(b"\r\n\r\n")
    return headers, body


def ask_consul(consul: str, path: str, seconds: float) -> tuple[bool, str]:
    """Whether Consul has an answer with anything in it, and the index to ask for changes from."""
    host, _, port = consul.rpartition(":")
    headers, body = request(host, port, path, seconds)
    is_ok = headers.split(b"\r\n", 1)[0][8:12] == b" 200"
    index = "0"
    for line in headers.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"x-consul-index":
            index = value.strip().decode()
    return is_ok and body.strip() not in {b"[]", b"null", b""}, index


def wait_until_known(consul: str, path: str) -> None:
    """Return once Consul has something at a path; Consul itself may come and go meanwhile."""
    index = "0"
    while True:
        separator = "&" if "?" in path else "?"
        question = f"{path}{separator}index={index}&wait={CONSUL_WAIT_SECONDS}s"
        try:
            is_known, index = ask_consul(consul, question, CONSUL_WAIT_SECONDS * 1.2)
        except OSError:
            is_known, index = False, "0"
        if is_known:
            return
        if index == "0":
            # A paced retry: a Consul that is not there or refuses gives no index to wait for a change from.
            time.sleep(RETRY_SECONDS)


def wait_for(consul: str, wait: Wait) -> None:
    """Return once a dependency is good."""
    if wait.kind == "key":
        wait_until_known(consul, f"/v1/kv/{wait.path}")
        if wait.port == "0":
            return
    wait_until_known(consul, f"/v1/health/service/{wait.name}")
    began_at = asked_at = time.monotonic()
    while not wait.is_answering():
        now = time.monotonic()
        if now - asked_at >= PASSING_SECONDS:
            asked_at = now
            try:
                path = f"/v1/health/service/{wait.name}?passing=1"
                if ask_consul(consul, path, CHECK_SECONDS)[0]:
                    return
            except OSError:
                pass
        # A bounded poll, because a service cannot say that it has begun to answer: often
        # while that is likely to happen soon, seldom later, a tenth of what has passed.
        time.sleep(min(max((now - began_at) / 10, 0.02), 0.5))


def read_start_ticks() -> str:
    """When this process began, as the kernel counts; empty where there is no /proc."""
    try:
        with open("/proc/self/stat", "rb") as file:  # noqa: PTH123 - pathlib costs more than all the rest
            return file.read().rpartition(b")")[2].split()[19].decode()
    except OSError:
        return ""


def was_refused(refusal: str, run_file: str) -> bool:
    """Whether a guard has refused to start the service in this very placement: Nomad tries again whatever it is told.

    A refusal of another placement is over: somebody asked for a new one.
    """
    if not os.path.exists(refusal):  # noqa: PTH110 - see above
        return False
    try:
        with open(run_file, "rb") as file:  # noqa: PTH123 - see above
            lines = file.read().split(b"\n")
    except OSError:
        return False
    return b"allocation=" + os.fsencode(os.environ.get("NOMAD_ALLOC_ID", "")) in lines


def write_run(path: str, doing: str, detail: str = "") -> None:
    """Say what this run is doing, whole or not at all."""
    lines = (
        f"doing={doing}",
        f"pid={os.getpid()}",
        f"ticks={read_start_ticks()}",
        f"allocation={os.environ.get('NOMAD_ALLOC_ID', '')}",
        f"at={time.time():.6f}",
        f"detail={detail}",
    )
    temporary = f"{path}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(descriptor, "\n".join(lines).encode())
    os.close(descriptor)
    os.rename(temporary, path)  # noqa: PTH104 - see above


def main(environment_file: str, run_file: str) -> None:
    """Wait, then become the service."""
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    with open(environment_file, "rb") as file:  # noqa: PTH123 - see above
        entries = os.fsdecode(file.read()).split("\0")[:-1]
    found: dict[str, list[str]] = {"A": [], "E": [], "D": [], "C": [], "R": [], "W": []}
    for entry in entries:
        found[entry[0]].append(entry[1:])

    if any(was_refused(refusal, run_file) for refusal in found["R"]):
        sys.exit(EXIT_REFUSED)
    for wait in map(Wait, found["W"]):
        write_run(run_file, "waiting", wait.name)
        sys.stderr.write(f"waits for {wait.name} in Consul\n")
        sys.stderr.flush()
        wait_for(found["C"][0], wait)

    environment = {name: value for name, value in os.environ.items() if name.startswith("NOMAD_")}
    for entry in found["E"]:
        name, _, environment[name] = entry.partition("=")
    arguments = found["A"]
    write_run(run_file, "running")
    # Python ignores these two, and a new program would inherit that.
    _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
    _signal.signal(_signal.SIGXFSZ, _signal.SIG_DFL)
    # What Nomad's helpers have open is none of the service's business.
    os.closerange(3, 64)
    try:
        os.chdir(found["D"][0])
        os.execve(arguments[0], arguments, environment)  # noqa: S606 - the command is the whole point
    except OSError as error:
        message = f"cannot start {arguments[0]}: {error.strerror}"
        write_run(run_file, "failed", message)
        sys.stderr.write(f"{message}\n")
        sys.exit(EXIT_CANNOT_START)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
