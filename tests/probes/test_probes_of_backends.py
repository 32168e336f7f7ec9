from __future__ import annotations

import asyncio
import hashlib
import json
import struct
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.domain.service import CheckType
from prismctl.probes.scheduler import ProbeScheduler
from tests.probes.conversations import ask_once, question, serving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.domain.observation import ProbeResult
    from tests.probes.conversations import Conversation

# What each server sends, as recorded from a real one: a list of (what is asked, what is answered).


def pg(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack(">i", len(body) + 4) + body


def pg_login(method: int, rest: bytes = b"") -> bytes:
    return pg(b"R", struct.pack(">i", method) + rest)


def pg_error(code: str, message: str) -> bytes:
    return pg(b"E", f"SFATAL\0VFATAL\0C{code}\0M{message}\0Fx.c\0L1\0Rx\0\0".encode())


PG_READY = pg(b"Z", b"I")
PG_WELCOME = pg_login(0) + pg(b"S", b"server_version\x0015.18\0") + pg(b"K", bytes(8)) + PG_READY
PG_ONE = (
    pg(b"T", b"\0\1?column?\0" + bytes(18))
    + pg(b"D", b"\0\1\0\0\0\1\x31")
    + pg(b"C", b"SELECT 1\0")
    + PG_READY
)
PG_SELECT = pg(b"Q", b"select 1\0")


def pg_startup(user: bytes, database: bytes = b"postgres") -> bytes:
    names = b"user\0%b\0database\0%b\0application_name\0prismctl\0\0" % (user, database)
    return struct.pack(">ii", len(names) + 8, 196608) + names


PG_STARTUP = pg_startup(b"postgres")

INFO: dict[str, Any] = {"server_id": "N", "version": "2.9.10", "headers": True, "jetstream": True}
CONNECT = b"CONNECT "


def greeting(**fields: Any) -> bytes:
    return f"INFO {json.dumps({**INFO, **fields})} \r\n".encode()


def kafka_answer(number: int, body: bytes) -> bytes:
    return struct.pack(">ii", len(body) + 4, number) + body


def kafka_versions(*ranges: tuple[int, int, int], error: int = 0) -> bytes:
    body = struct.pack(">hi", error, len(ranges))
    return kafka_answer(18, body + b"".join(struct.pack(">hhh", *each) for each in ranges))


def kafka_cluster(*brokers: str, controller: int) -> bytes:
    body = struct.pack(">ii", 0, len(brokers))
    for number, host in enumerate(brokers):
        body += struct.pack(">ih", number, len(host)) + host.encode()
        body += struct.pack(">ih", 9092, -1)
    return kafka_answer(3, body + b"\0\4abcd" + struct.pack(">ii", controller, 0))


KAFKA_VERSIONS = kafka_versions((0, 0, 11), (3, 0, 12), (18, 0, 4))
ASK_VERSIONS = b"\0\0\0\x12\0\x12\0\0\0\0\0\x12\0\x08prismctl"
ASK_CLUSTER = b"\0\0\0\x19\0\3\0\x08\0\0\0\3\0\x08prismctl\0\0\0\0\0\0\0"

READY = {
    CheckType.REDIS: [(b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n")],
    CheckType.POSTGRES: [(PG_STARTUP, PG_WELCOME), (PG_SELECT, PG_ONE)],
    CheckType.NATS: [(CONNECT, greeting() + b"PONG\r\n")],
    CheckType.KAFKA: [
        (ASK_VERSIONS, KAFKA_VERSIONS),
        (ASK_CLUSTER, kafka_cluster("localhost", controller=0)),
    ],
}
BACKENDS = list(READY)


def playing(*turns: tuple[bytes, bytes], step: int = 0, hangs: bool = False) -> Conversation:
    """A server that answers what it expects, at once or in steps of some bytes, and hangs up on anything else."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for asked, answer in turns:
            if asked == CONNECT:
                heard = await reader.readuntil(b"PING\r\n")
                assert heard.startswith(asked)
            elif await reader.readexactly(len(asked)) != asked:
                return
            for begin in range(0, len(answer), step or len(answer) or 1):
                writer.write(answer[begin : begin + (step or len(answer))])
                await writer.drain()
                await asyncio.sleep(0)
        if hangs:
            await reader.read()

    return converse


async def ask(check: CheckType, conversation: Conversation, **fields: Any) -> ProbeResult:
    async with serving(conversation) as port:
        answer = await ask_once(question(check, port=port, **fields))
    assert answer.is_ok == (not answer.message)
    return answer


def told(message: str, answer: ProbeResult) -> bool:
    """Whether the answer begins as it should; no test knows the port before."""
    begin, _, rest = message.partition("{port}")
    said = answer.message
    return said.startswith(begin) and said[len(begin) :].lstrip("0123456789").startswith(rest)


# All of them.


@pytest.mark.parametrize("check", BACKENDS)
async def test_a_server_that_serves_is_ready(check: CheckType) -> None:
    assert (await ask(check, playing(*READY[check], hangs=True))).message == ""


@pytest.mark.parametrize("check", BACKENDS)
async def test_an_answer_that_comes_byte_by_byte_is_the_same_answer(check: CheckType) -> None:
    assert (await ask(check, playing(*READY[check], step=1, hangs=True))).message == ""


@pytest.mark.parametrize("check", BACKENDS)
async def test_a_connection_that_is_closed_at_once_is_no_answer(check: CheckType) -> None:
    answer = await ask(check, playing((READY[check][0][0], b"")))

    assert answer.message.endswith(" closed the connection without an answer")


@pytest.mark.parametrize("check", BACKENDS)
async def test_half_an_answer_is_none(check: CheckType) -> None:
    turns = READY[check]
    *before, (asked, answered) = turns
    half = answered[: len(answered) - 3]

    answer = await ask(check, playing(*before, (asked, half)))

    assert answer.message.endswith(" closed the connection in the middle of an answer")


@pytest.mark.parametrize("check", BACKENDS)
async def test_half_an_answer_that_goes_on_for_ever_is_given_up_in_time(check: CheckType) -> None:
    *before, (asked, answered) = READY[check]

    answer = await ask(
        check, playing(*before, (asked, answered[:-1]), hangs=True), timeout_seconds=0.2
    )

    assert answer.message.startswith("no answer within 0.2 s from 127.0.0.1:")


@pytest.mark.parametrize("check", BACKENDS)
@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\xff\xff\xff\xff" * 8 + b"\n",
        b"\x00" * 64 + b"\n",
    ],
    ids=["http", "ssh", "ones", "zeros"],
)
async def test_another_protocol_is_told_as_one(check: CheckType, said: bytes) -> None:
    name = {"redis": "Redis", "postgres": "PostgreSQL", "nats": "NATS", "kafka": "Kafka"}[check]

    answer = await ask(check, playing((READY[check][0][0], said), hangs=True))

    assert told(f"not {name}: port {{port}} answered ", answer), answer.message


@pytest.mark.parametrize("check", BACKENDS)
async def test_an_endless_answer_is_given_up(check: CheckType) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        while True:
            writer.write(b"S\0\0\0\x04" * 20_000)
            await writer.drain()

    answer = await ask(check, flood, timeout_seconds=5.0)

    assert "no answer within" not in answer.message
    assert answer.message


@pytest.mark.parametrize("check", BACKENDS)
async def test_whoever_stops_asking_hangs_up(check: CheckType) -> None:
    is_asked, is_over = asyncio.Event(), asyncio.Event()

    async def converse(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(1)
        is_asked.set()
        while await reader.read(1024):
            pass
        is_over.set()

    async with serving(converse) as port, asyncio.timeout(10):
        async with ProbeScheduler(lambda _: None) as scheduler:
            scheduler.ask(question(check, port=port, timeout_seconds=60.0))
            await is_asked.wait()
        await is_over.wait()


@pytest.mark.parametrize(
    ("check", "asked", "said"),
    [
        (
            CheckType.REDIS,
            b"*2\r\n$4\r\nAUTH\r\n$4\r\nhush\r\n",
            b"-WRONGPASS hush is not it\r\n",
        ),
        (CheckType.POSTGRES, PG_STARTUP, pg_error("28P01", "hush is not it")),
        (CheckType.NATS, CONNECT, greeting() + b"-ERR 'hush is not it'\r\n"),
    ],
)
async def test_a_password_stands_in_no_answer_and_no_text_of_the_question(
    check: CheckType, asked: bytes, said: bytes
) -> None:
    fields: dict[str, Any] = {"password": "hush", "secrets": frozenset({"hush"})}

    answer = await ask(check, playing((asked, said), hangs=True), **fields)

    assert "••• is not it" in answer.message
    assert "hush" not in answer.message
    assert "hush" not in repr(question(check, password="hush"))


# Redis.


def resp(*words: str) -> bytes:
    return f"*{len(words)}\r\n".encode() + b"".join(
        f"${len(word)}\r\n{word}\r\n".encode() for word in words
    )


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("-LOADING Redis is loading the dataset in memory", "Redis is loading the dataset"),
        ("-NOAUTH Authentication required.", ""),
        ("-MISCONF Errors writing", "Redis at port {port} answered MISCONF Errors writing"),
        ("-DENIED Redis is running in protected mode", "Redis at port {port} answered DENIED"),
        ("+OK", "not Redis: port {port} answered '+OK"),
        ("$4", "not Redis: port {port} answered '$4"),
    ],
)
async def test_redis_says_why_it_is_not_ready(said: str, message: str) -> None:
    turn = (resp("PING"), f"{said}\r\n".encode())

    answer = await ask(CheckType.REDIS, playing(turn, hangs=True))

    assert told(message, answer), answer.message
    assert answer.is_ok == (not message)


@pytest.mark.parametrize(
    ("fields", "login"),
    [
        ({"password": "p w"}, ("AUTH", "p w")),
        ({"user": "app", "password": "x"}, ("AUTH", "app", "x")),
    ],
)
async def test_redis_is_logged_in_to_first(fields: dict[str, str], login: tuple[str, ...]) -> None:
    turns = [(resp(*login), b"+OK\r\n"), (resp("PING"), b"+PONG\r\n")]

    assert (await ask(CheckType.REDIS, playing(*turns, hangs=True), **fields)).message == ""


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        (
            [(resp("AUTH", "x"), b"-WRONGPASS invalid password\r\n")],
            "Redis at port {port} refused the login: WRONGPASS invalid password",
        ),
        (
            [(resp("AUTH", "x"), b"+OK\r\n"), (resp("PING"), b"-LOADING wait\r\n")],
            "Redis is loading the dataset",
        ),
        (
            [(resp("AUTH", "x"), b"+OK\r\n"), (resp("PING"), b"-NOAUTH no\r\n")],
            "Redis at port {port} answered NOAUTH no",
        ),
    ],
)
async def test_with_a_password_redis_has_to_answer(
    turns: Sequence[tuple[bytes, bytes]], message: str
) -> None:
    answer = await ask(CheckType.REDIS, playing(*turns, hangs=True), password="x")

    assert told(message, answer), answer.message


# PostgreSQL.

STARTING = "the database system is starting up"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (pg_error("57P03", STARTING), f"PostgreSQL at port {{port}}: {STARTING}"),
        (pg_error("53300", "sorry, too many clients"), "PostgreSQL at port {port}: sorry, too"),
        (pg(b"E", b"SFATAL\0\0"), "PostgreSQL at port {port}: error without a name"),
        (pg(b"E", b"C57P01\0\0"), "PostgreSQL at port {port}: error 57P01"),
        (PG_READY + PG_ONE.replace(pg(b"D", b"\0\1\0\0\0\1\x31"), b""), "PostgreSQL at port"),
        (PG_WELCOME + pg_error("57P01", "going away"), "PostgreSQL at port {port}: going away"),
        (pg(b"S", b"a\0b\0") * 500, "not PostgreSQL: port {port} talks without answering"),
        # Nobody told us who to be: a server that asks takes connections.
        (pg_error("28000", 'role "postgres" does not exist'), ""),
        (pg_error("28P01", "password authentication failed"), ""),
        (pg_login(3), ""),
        (pg_login(5, b"salt"), ""),
        (pg_login(10, b"SCRAM-SHA-256\0\0"), ""),
        (pg_login(7), ""),
        # The database is our choice.
        (pg_login(0) + pg_error("3D000", 'database "postgres" does not exist'), ""),
    ],
)
async def test_postgres_says_why_it_is_not_ready(said: bytes, message: str) -> None:
    answer = await ask(CheckType.POSTGRES, playing((PG_STARTUP, said), hangs=True))

    assert told(message, answer), answer.message
    assert answer.is_ok == (not message)


async def test_postgres_without_the_database_that_its_url_names_is_not_ready() -> None:
    startup = pg_startup(b"postgres", b"shop")
    said = pg_login(0) + pg_error("3D000", 'database "shop" does not exist')

    answer = await ask(CheckType.POSTGRES, playing((startup, said), hangs=True), database="shop")

    assert answer.message.endswith(': database "shop" does not exist')


async def test_postgres_takes_no_refusal_of_whom_the_check_names() -> None:
    said = pg_error("28000", 'role "somebody" does not exist')
    turn = (pg_startup(b"somebody"), said)

    answer = await ask(CheckType.POSTGRES, playing(turn, hangs=True), user="somebody")

    assert answer.message.endswith(': role "somebody" does not exist')


def md5(content: bytes) -> bytes:
    return hashlib.md5(content, usedforsecurity=False).hexdigest().encode()


@pytest.mark.parametrize(
    ("request_", "password"),
    [
        (pg_login(3), b"secret"),
        (pg_login(5, b"salt"), b"md5" + md5(md5(b"secretpostgres") + b"salt")),
    ],
    ids=["cleartext", "md5"],
)
async def test_postgres_gets_the_password_as_it_wants_it(request_: bytes, password: bytes) -> None:
    turns = [
        (PG_STARTUP, request_),
        (pg(b"p", password + b"\0"), PG_WELCOME),
        (PG_SELECT, PG_ONE),
    ]

    answer = await ask(CheckType.POSTGRES, playing(*turns, hangs=True), password="secret")

    assert answer.message == ""


async def answer_opening(said: bytes) -> ProbeResult:
    """What a server gets for what it says to the opening of a SCRAM exchange."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(PG_STARTUP))
        writer.write(pg_login(10, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"))
        opening = await reader.readuntil(b",r=")
        assert opening[:1] == b"p"
        nonce = await reader.readexactly(36)
        writer.write(said.replace(b"NONCE", nonce))
        await reader.read()

    return await ask(CheckType.POSTGRES, converse, password="secret")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (pg_login(11, b"nonsense"), "its challenge cannot be read"),
        (pg_login(11, b"\xff\xff"), "its challenge cannot be read"),
        (pg_login(11, b"r=other,s=c2FsdA==,i=4096"), "its challenge is not meant for us"),
        (pg_login(12, b"v=c2FsdA=="), "does not know the password itself"),
        (pg_login(9), "wants a login (9) that a check cannot do"),
    ],
)
async def test_postgres_that_does_not_keep_to_scram_is_not_ready(said: bytes, message: str) -> None:
    assert (await answer_opening(said)).message.endswith(message)


async def test_a_challenge_with_endless_work_in_it_is_refused() -> None:
    body = b"r=NONCEx,s=c2FsdA==,i=1000000001"
    size = struct.pack(">i", 4 + 4 + len(body) + 36 - 5)

    answer = await answer_opening(b"R" + size + struct.pack(">i", 11) + body)

    assert answer.message.endswith("its challenge is not meant for us")


async def test_postgres_that_knows_no_scram_of_ours_is_told() -> None:
    turn = (PG_STARTUP, pg_login(10, b"SCRAM-SHA-512\0\0"))

    answer = await ask(CheckType.POSTGRES, playing(turn, hangs=True), password="x")

    assert answer.message.endswith("does not know SCRAM-SHA-256")


# NATS.


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (greeting() + b"PING\r\n+OK\r\n" + greeting() + b"PONG\r\n", ""),
        (greeting(tls_required=True), "NATS at port {port} wants TLS, which a check does not"),
        (greeting(auth_required=True) + b"-ERR 'Authorization Violation'\r\n", ""),
        (greeting() + b"-ERR 'Stale Connection'\r\n", "NATS at port {port} answered 'Stale"),
        (b"INFO nonsense\r\n", "not NATS: port {port} answered 'INFO nonsense"),
        (b"INFO []\r\n", "not NATS: port {port} answered 'INFO []"),
        (b"INFO " + b"[" * 60000 + b"\r\n", "not NATS: port {port} answered 'INFO [["),
        (greeting() + b"+OK\r\n" * 70, "not NATS: port {port} talks without answering"),
        (greeting() + b"WHAT\r\n", "not NATS: port {port} answered 'WHAT"),
    ],
)
async def test_nats_says_why_it_is_not_ready(said: bytes, message: str) -> None:
    answer = await ask(CheckType.NATS, playing((CONNECT, said), hangs=True))

    assert told(message, answer), answer.message
    assert answer.is_ok == (not message)


@pytest.mark.parametrize(
    ("fields", "login"),
    [
        ({}, {}),
        ({"user": "app", "password": "x"}, {"user": "app", "pass": "x"}),
        ({"password": "x"}, {"auth_token": "x"}),
    ],
)
async def test_nats_is_told_who_asks(fields: dict[str, str], login: dict[str, str]) -> None:
    heard: list[dict[str, Any]] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting())
        heard.append(json.loads((await reader.readline()).partition(b" ")[2]))
        writer.write(b"PONG\r\n")
        await reader.read()

    assert (await ask(CheckType.NATS, converse, **fields)).is_ok
    names = ("user", "pass", "auth_token")
    assert {name: heard[0][name] for name in names if name in heard[0]} == login


def jetstream(*replies: bytes) -> Conversation:
    """A server of which the requests to JetStream get these replies; INBOX stands for where to."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting())
        await reader.readuntil(b"PING\r\n")
        writer.write(b"PONG\r\n")
        _, inbox, number = (await reader.readline()).split()
        assert number == b"1"
        assert await reader.readline() == b"PUB $JS.API.INFO " + inbox + b" 0\r\n"
        assert await reader.readline() == b"\r\n"
        for reply in replies:
            writer.write(reply.replace(b"INBOX", inbox))
        await reader.read()

    return converse


def reply(document: object) -> bytes:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return b"MSG INBOX 1 %d\r\n%b\r\n" % (len(body), body)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (reply({"type": "account_info", "memory": 0}), ""),
        (b"PING\r\n" + reply({"streams": 0}), ""),
        (
            reply({"error": {"code": 503, "description": "JetStream not enabled for account"}}),
            "JetStream at port {port} answered JetStream not enabled for account",
        ),
        (reply({"error": 5}), "JetStream at port {port} answered 5"),
        (reply(b"nonsense"), "not JetStream: port {port} answered 'nonsense'"),
        (
            b"HMSG INBOX 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n",
            "NATS at port {port} answers, but runs without JetStream",
        ),
        (b"MSG INBOX 1 x\r\n", "not NATS: port {port} answered 'MSG _INBOX"),
        (b"MSG\r\n", "not NATS: port {port} answered 'MSG"),
        (b"MSG INBOX 1 99999999\r\n", "not NATS: port {port} answered 'MSG _INBOX"),
        (b"HMSG INBOX 1 9 4\r\nabcd\r\n", "not NATS: port {port} answered 'HMSG _INBOX"),
        (b"-ERR 'Permissions Violation'\r\n", "NATS at port {port} answered -ERR 'Permissions"),
    ],
)
async def test_jetstream_has_to_answer_where_it_is_asked_for(said: bytes, message: str) -> None:
    answer = await ask(CheckType.NATS, jetstream(said), jetstream=True)

    assert told(message, answer), answer.message
    assert answer.is_ok == (not message)


async def test_jetstream_that_nobody_may_ask_is_not_ready() -> None:
    said = greeting(auth_required=True) + b"-ERR 'Authorization Violation'\r\n"

    answer = await ask(CheckType.NATS, playing((CONNECT, said), hangs=True), jetstream=True)

    assert answer.message.endswith("answered 'Authorization Violation'")


# Kafka.


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        (
            [(ASK_VERSIONS, KAFKA_VERSIONS), (ASK_CLUSTER, kafka_cluster(controller=-1))],
            "Kafka at port {port} names no broker yet",
        ),
        (
            [(ASK_VERSIONS, KAFKA_VERSIONS), (ASK_CLUSTER, kafka_cluster("a", controller=-1))],
            "Kafka at port {port} knows no controller yet",
        ),
        ([(ASK_VERSIONS, kafka_versions(error=35))], "Kafka at port {port} answered with error 35"),
        (
            [(ASK_VERSIONS, kafka_versions((18, 0, 4), (52, 0, 0)))],
            "port {port} speaks Kafka, but is no broker's",
        ),
        (
            [(ASK_VERSIONS, kafka_versions((3, 0, 3)))],
            "Kafka at port {port} speaks Metadata 0 to 3, not 4 to 8",
        ),
        (
            [(ASK_VERSIONS, kafka_versions((3, 9, 13)))],
            "Kafka at port {port} speaks Metadata 9 to 13, not 4 to 8",
        ),
        (
            [(ASK_VERSIONS, kafka_answer(17, b""))],
            "not Kafka: port {port} answered what it was not asked",
        ),
        (
            [(ASK_VERSIONS, kafka_answer(18, b"\0\0\x7f\xff\xff\xff"))],
            "not Kafka: port {port} sent an answer that ends too early",
        ),
        (
            [(ASK_VERSIONS, KAFKA_VERSIONS), (ASK_CLUSTER, kafka_answer(3, b"\0" * 7))],
            "not Kafka: port {port} sent an answer that ends too early",
        ),
        (
            [(ASK_VERSIONS, KAFKA_VERSIONS)],
            "127.0.0.1:{port} closed the connection without an answer",
        ),
    ],
)
async def test_kafka_says_why_it_is_not_ready(
    turns: Sequence[tuple[bytes, bytes]], message: str
) -> None:
    answer = await ask(CheckType.KAFKA, playing(*turns))

    assert told(message, answer), answer.message


async def test_an_older_kafka_is_asked_as_it_understands() -> None:
    asked = b"\0\0\0\x17\0\3\0\x05\0\0\0\3\0\x08prismctl\0\0\0\0\0"
    turns = [
        (ASK_VERSIONS, kafka_versions((3, 0, 5))),
        (asked, kafka_cluster("a", "b", controller=1)),
    ]

    assert (await ask(CheckType.KAFKA, playing(*turns, hangs=True))).message == ""
