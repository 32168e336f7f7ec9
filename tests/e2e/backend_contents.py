"""Something in each of the servers, written and read back through their protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.backend_clients import Kafka, Nats, postgres, redis

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Shell

STREAM = b'{"name":"S","subjects":["s.>"]}'


class Contents:
    """Of the servers of one stack."""

    def __init__(self, shell: Shell, wait_until: Callable[..., None]) -> None:
        self.shell = shell
        self.wait_until = wait_until

    def write(self, *names: str) -> None:
        for name in names or ("redis", "postgres", "nats", "kafka"):
            getattr(self, f"_write_{name}")(self._find(name))

    def read(self, *names: str) -> None:
        for name in names or ("redis", "postgres", "nats", "kafka"):
            getattr(self, f"_read_{name}")(self._find(name))

    def _find(self, name: str) -> str:
        return (
            self.shell.variable("DATABASE_URL") if name == "postgres" else self.shell.address(name)
        )

    def _write_redis(self, address: str) -> None:
        assert redis(address, "SET", "key", "kept") == ["OK"]

    def _read_redis(self, address: str) -> None:
        assert redis(address, "GET", "key") == ["kept"]

    def _write_postgres(self, url: str) -> None:
        sql = "create table kept (value text); insert into kept values ('kept')"
        postgres(url, sql)

    def _read_postgres(self, url: str) -> None:
        assert postgres(url, "select value from kept") == "kept"

    def _write_nats(self, address: str) -> None:
        with Nats(address) as nats:
            nats.ask("$JS.API.STREAM.CREATE.S", STREAM)
            assert nats.ask("s.1", b"kept")["seq"] == 1

    def _read_nats(self, address: str) -> None:
        with Nats(address) as nats:
            assert nats.ask("$JS.API.STREAM.INFO.S")["state"]["messages"] == 1

    def _write_kafka(self, address: str) -> None:
        with Kafka(address) as kafka:
            self.wait_until(lambda: kafka.partitions("topic") == 1)
            self.wait_until(lambda: kafka.produce("topic", b"kept"))

    def _read_kafka(self, address: str) -> None:
        with Kafka(address) as kafka:
            self.wait_until(lambda: b"kept" in kafka.fetch("topic"))
