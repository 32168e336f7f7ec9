"""The probes on the servers themselves, as Debian and Maven deliver them: `make backends` brings them."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.domain.service import CheckType
from prismctl.probes.redis import render_command
from prismctl.probes.scheduler import ProbeScheduler
from tests.free_ports import take_port
from tests.probes.conversations import ask_once, question

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prismctl.domain.observation import ProbeResult

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

BOUND_SECONDS = 90.0
"""How long a server has to become ready; Kafka alone takes more than a second."""
STOP_SECONDS = 30.0
FETCH_KAFKA = Path(__file__).parents[2] / "scripts" / "fetch_kafka.py"


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that a server which gives up being root can still get into."""
    with tempfile.TemporaryDirectory(prefix="prismctl-backend-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def find_program(name: str) -> Path:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    places = [os.environ["PATH"], "/usr/sbin", *map(str, versions)]
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        pytest.fail(f"{name} is not there: `make backends` installs it")
    return Path(found).absolute()


@contextmanager
def running(
    place: Path, *command: str, asks_to_stop: int = 15, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A server, until the end of the block and not a moment longer."""
    log = place / "output"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=place, **options
        )
    try:
        yield process
        assert process.poll() is None, log.read_text(errors="replace")
        process.send_signal(asks_to_stop)
        process.wait(STOP_SECONDS)
    finally:
        process.kill()
        process.wait()


async def listen_until(
    is_enough: Callable[[ProbeResult], bool], check: CheckType, port: int, **fields: Any
) -> list[str]:
    """What the probe said, up to the first answer that is enough."""
    said: list[str] = []
    answers: asyncio.Queue[ProbeResult] = asyncio.Queue()
    async with ProbeScheduler(answers.put_nowait) as scheduler, asyncio.timeout(BOUND_SECONDS):
        scheduler.ask(question(check, port=port, timeout_seconds=2.0, **fields))
        while True:
            answer = await answers.get()
            said.append(answer.message)
            if is_enough(answer):
                return said


async def wait_until_ready(check: CheckType, port: int, **fields: Any) -> list[str]:
    """What the probe said until the server was ready."""
    *before, _ = await listen_until(lambda answer: answer.is_ok, check, port, **fields)
    return before


async def ask(check: CheckType, port: int, **fields: Any) -> str:
    """What the probe says of a server that is ready for somebody."""
    return (await ask_once(question(check, port=port, timeout_seconds=5.0, **fields))).message


# Redis.


@contextmanager
def redis(place: Path, *arguments: str) -> Iterator[int]:
    port = take_port()
    words = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(place), "--save", ""]
    with running(place, str(find_program("redis-server")), *words, *arguments):
        yield port


async def test_redis_is_ready_once_it_answers(place: Path) -> None:
    with redis(place) as port:
        before = await wait_until_ready(CheckType.REDIS, port)

        assert all(said == f"connection refused at 127.0.0.1:{port}" for said in before)
        answer = await ask(CheckType.REDIS, port, password="given to nobody")
        assert answer.startswith(f"Redis at port {port} refused the login: ")


async def test_redis_with_a_password(place: Path) -> None:
    users = ["--requirepass", "right", "--user", "app", "on", ">other", "~*", "+@all"]
    with redis(place, *users) as port:
        await wait_until_ready(CheckType.REDIS, port)

        assert await ask(CheckType.REDIS, port, password="right") == ""
        assert await ask(CheckType.REDIS, port, user="app", password="other") == ""
        refused = await ask(CheckType.REDIS, port, password="wrong")
        assert refused.startswith(f"Redis at port {port} refused the login: WRONGPASS")


async def test_redis_is_not_ready_while_it_loads(place: Path) -> None:
    keys = (f"{number:08}" for number in range(5_000))
    (place / "appendonly.aof").write_bytes(
        b"".join(render_command("SET", key, "1") for key in keys)
    )
    # It waits a tenth of a millisecond for each key, and looks up from its work after each kilobyte.
    slowly = ["--key-load-delay", "100", "--loading-process-events-interval-bytes", "1024"]
    with redis(place, "--appendonly", "yes", *slowly) as port:
        said = await wait_until_ready(CheckType.REDIS, port)

    assert "Redis is loading the dataset" in said


# NATS.


@contextmanager
def nats(place: Path, *arguments: str) -> Iterator[int]:
    port = take_port()
    words = ["-a", "127.0.0.1", "-p", str(port), "-sd", str(place / "store")]
    with running(place, str(find_program("nats-server")), *words, *arguments):
        yield port


async def test_nats_is_ready_once_jetstream_answers(place: Path) -> None:
    with nats(place, "-js") as port:
        before = await wait_until_ready(CheckType.NATS, port, jetstream=True)

    assert all(said == f"connection refused at 127.0.0.1:{port}" for said in before)


async def test_nats_without_jetstream(place: Path) -> None:
    with nats(place) as port:
        await wait_until_ready(CheckType.NATS, port)

        answer = await ask(CheckType.NATS, port, jetstream=True)
        assert answer == f"NATS at port {port} answers, but runs without JetStream"


async def test_nats_with_a_user(place: Path) -> None:
    with nats(place, "-js", "--user", "app", "--pass", "right") as port:
        await wait_until_ready(CheckType.NATS, port)

        right = {"user": "app", "password": "right", "jetstream": True}
        assert await ask(CheckType.NATS, port, **right) == ""
        refused = f"NATS at port {port} answered 'Authorization Violation'"
        assert await ask(CheckType.NATS, port, **{**right, "password": "wrong"}) == refused
        assert await ask(CheckType.NATS, port, jetstream=True) == refused


async def test_nats_with_a_token(place: Path) -> None:
    with nats(place, "--auth", "right") as port:
        await wait_until_ready(CheckType.NATS, port, password="right")

        refused = f"NATS at port {port} answered 'Authorization Violation'"
        assert await ask(CheckType.NATS, port, password="wrong") == refused


# PostgreSQL.

PASSWORDS = {"clear": "password", "hashed": "md5", "proven": "scram-sha-256"}
"""How each of these users has to log in."""


class Postgres:
    """One data directory, and what runs on it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.data = place / "data"
        self.port = take_port()
        self.programs = find_program("postgres").resolve().parent
        self.account: dict[str, Any] = {}
        if os.geteuid() == 0:
            found = pwd.getpwnam("postgres")
            os.chown(place, found.pw_uid, found.pw_gid)
            self.account = {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}

    def run(self, program: str, *arguments: str, text: str = "") -> None:
        command = [str(self.programs / program), *arguments]
        subprocess.run(
            command,
            input=text,
            text=True,
            capture_output=True,
            cwd=self.place,
            timeout=60,
            check=True,
            **self.account,
        )

    def create(self) -> None:
        place = ("-D", str(self.data))
        self.run("initdb", *place, "-U", "postgres", "--auth=trust", "--no-sync", "--locale=C")
        roles = "".join(
            f"set password_encryption = '{'md5' if how == 'md5' else 'scram-sha-256'}';\n"
            f"create role {user} login password 'right, =é';\n"
            for user, how in PASSWORDS.items()
        )
        self.run(
            "postgres", "--single", *place, "postgres", text=f"create role trusted login;\n{roles}"
        )
        rules = [f"host all {user} 127.0.0.1/32 {how}\n" for user, how in PASSWORDS.items()]
        rules.append("host all trusted 127.0.0.1/32 trust\n")
        rules.append("host all postgres 127.0.0.1/32 scram-sha-256\n")
        (self.data / "pg_hba.conf").write_text("".join(rules))

    @contextmanager
    def serving(self) -> Iterator[int]:
        settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"]
        words = [word for setting in settings for word in ("-c", setting)]
        command = [str(self.programs / "postgres"), "-D", str(self.data), "-p", str(self.port)]
        with running(self.place, *command, *words, asks_to_stop=2, **self.account):
            yield self.port

    @property
    def log(self) -> str:
        return (self.place / "output").read_text(errors="replace")


@pytest.fixture
def postgres(place: Path) -> Postgres:
    server = Postgres(place)
    server.create()
    return server


async def test_postgres_is_ready_once_it_answers_whoever_asks(postgres: Postgres) -> None:
    with postgres.serving() as port:
        before = await wait_until_ready(CheckType.POSTGRES, port, user="trusted")

        assert {said.partition(" at ")[0] for said in before} <= {
            "connection refused",
            "PostgreSQL",
        }
        # A server that asks who we are takes connections.
        assert await ask(CheckType.POSTGRES, port) == ""
        for user in PASSWORDS:
            # No stack runs it, and it may have an account of its own.
            who = {"user": user, "is_elsewhere": True}
            assert await ask(CheckType.POSTGRES, port, password="right, =é", **who) == ""
            refused = await ask(CheckType.POSTGRES, port, password="wrong", **who)
            wanted = f'PostgreSQL at port {port}: password authentication failed for user "{user}"'
            assert refused == wanted
        nobody = await ask(CheckType.POSTGRES, port, user="nobody")
        assert "no pg_hba.conf entry" in nobody
    # The questions that were answered left no trace.
    assert "reset" not in postgres.log
    assert "EOF" not in postgres.log


async def test_postgres_that_takes_no_connections_is_not_ready(postgres: Postgres) -> None:
    # A standby without anything to follow starts for ever.
    (postgres.data / "standby.signal").touch()
    with (postgres.data / "postgresql.conf").open("a") as settings:
        settings.write("hot_standby = off\n")

    with postgres.serving() as port:
        *_, said = await listen_until(
            lambda answer: "refused" not in answer.message, CheckType.POSTGRES, port
        )
        assert (await ask_once(question(CheckType.TCP, port=port))).is_ok
    assert said in {
        f"PostgreSQL at port {port}: the database system is starting up",
        f"PostgreSQL at port {port}: the database system is not accepting connections",
    }


# Kafka.

KAFKA_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
"""


@pytest.fixture
def kafka(place: Path) -> Iterator[tuple[int, int]]:
    """The ports of a server that was started a moment ago: broker and controller."""
    java = str(find_program("java"))
    fetched = subprocess.run(
        [sys.executable, str(FETCH_KAFKA)], capture_output=True, text=True, check=False
    )
    assert fetched.returncode == 0, fetched.stderr
    broker, controller = take_port(), take_port()
    settings = place / "server.properties"
    settings.write_text(
        KAFKA_SETTINGS.format(broker=broker, controller=controller, data=place / "data")
    )
    small = [java, "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    small += ["-cp", f"{fetched.stdout.strip()}/*"]
    words = ["format", "-t", "prismctlprismctlprismw", "-c", str(settings)]
    subprocess.run(
        [*small, "kafka.tools.StorageTool", *words],
        cwd=place,
        capture_output=True,
        timeout=120,
        check=True,
    )
    with running(place, *small, "kafka.Kafka", str(settings)):
        yield broker, controller


async def test_kafka_is_ready_once_it_names_a_broker(kafka: tuple[int, int]) -> None:
    broker, controller = kafka

    before = await wait_until_ready(CheckType.KAFKA, broker)

    assert before
    answer = await ask(CheckType.KAFKA, controller)
    assert answer == f"port {controller} speaks Kafka, but is no broker's"
