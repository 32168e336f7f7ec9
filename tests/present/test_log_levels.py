from __future__ import annotations

import pytest

from prismctl.present.log_levels import Level, level_of

EXAMPLES: list[tuple[str, Level | None]] = [
    # JSON, by whatever name and in words or numbers.
    ('{"time":"x","level":"WARN","msg":"slow"}', Level.WARN),
    ('{"@level":"error","@message":"x"}', Level.ERROR),
    ('{"severity":"CRITICAL"}', Level.FATAL),
    ('{"log.level":"debug"}', Level.DEBUG),
    ('{"level":30,"msg":"pino"}', Level.INFO),
    ('{"level":50,"msg":"pino"}', Level.ERROR),
    ('{"level":60,"msg":"pino"}', Level.FATAL),
    ('{"level":3,"short_message":"gelf"}', Level.ERROR),
    ('{"msg":"the level was low"}', None),
    # logfmt
    ('time=2026-01-02T03:04:05Z level=warning msg="x"', Level.WARN),
    ("ts=1 lvl=eror msg=x", Level.ERROR),
    ("sea-level=high", None),
    # klog
    ("I0102 15:04:05.678901    1 main.go:12] ready", Level.INFO),
    ("W0102 15:04:05.678901    1 main.go:12] error budget low", Level.WARN),
    ("E0102 15:04:05.678901    1 main.go:12] refused", Level.ERROR),
    ("F0102 15:04:05.678901    1 main.go:12] gone", Level.FATAL),
    # PostgreSQL
    ("2026-01-02 03:04:05.678 UTC [71] LOG:  database system is ready", Level.INFO),
    ("2026-01-02 03:04:05.678 UTC [71] WARNING:  there is no transaction", Level.WARN),
    ('2026-01-02 03:04:05.678 UTC [71] ERROR:  relation "x" does not exist', Level.ERROR),
    ("2026-01-02 03:04:05.678 UTC [71] PANIC:  could not locate a checkpoint", Level.FATAL),
    ("2026-01-02 03:04:05.678 UTC [71] STATEMENT:  select 'ERROR'", None),
    ("2026-01-02 03:04:05.678 UTC [71] DETAIL:  FATAL things", None),
    # redis
    ("71:M 02 Jan 2026 03:04:05.678 * Ready to accept connections tcp", Level.INFO),
    ("71:M 02 Jan 2026 03:04:05.678 # Fatal error loading the DB", Level.WARN),
    ("71:C 02 Jan 2026 03:04:05.678 - Accepted 127.0.0.1:1", Level.DEBUG),
    ("71:S 02 Jan 2026 03:04:05.678 . 1 clients connected", Level.DEBUG),
    # Kafka
    ("[2026-01-02 03:04:05,678] INFO [KafkaServer id=1] started", Level.INFO),
    ("[2026-01-02 03:04:05,678] WARN [Controller] (error)", Level.WARN),
    # NATS
    ("[71] 2026/01/02 03:04:05.678901 [INF] Server is ready", Level.INFO),
    ("[71] 2026/01/02 03:04:05.678901 [WRN] slow consumer", Level.WARN),
    ("[71] 2026/01/02 03:04:05.678901 [ERR] bind: in use", Level.ERROR),
    ("[71] 2026/01/02 03:04:05.678901 [FTL] gone", Level.FATAL),
    ("[71] 2026/01/02 03:04:05.678901 [TRC] PING", Level.TRACE),
    # Nomad, Consul, nginx, ClickHouse, MySQL, Ruby, Python, uvicorn, Spring
    ("2026-01-02T03:04:05.678Z [WARN]  agent: lost", Level.WARN),
    ("2026/01/02 03:04:05 [error] 71#71: *1 open() failed", Level.ERROR),
    ("2026.01.02 03:04:05.678 [ 71 ] {} <Information> Application: up", Level.INFO),
    ("2026-01-02T03:04:05.678Z 0 [Note] [MY-010000] up", Level.INFO),
    ("E, [2026-01-02T03:04:05.678 #71] ERROR -- : no", Level.ERROR),
    ("WARNING:root:careful", Level.WARN),
    ("INFO:     127.0.0.1:1 - GET / 200 OK", Level.INFO),
    ("2026-01-02 03:04:05.678  INFO 71 --- [main] a.B : (error) count 0", Level.INFO),
    ("<4>a kernel's word", Level.WARN),
    # crashes
    ("Traceback (most recent call last):", Level.ERROR),
    ("panic: runtime error: index out of range", Level.FATAL),
    ('Exception in thread "main" java.lang.Error', Level.ERROR),
    # words at the beginning, colours around them, and words that are none
    ("error: cannot open x", Level.ERROR),
    ("main.c: warning: unused", Level.WARN),
    ("\x1b[32mINFO\x1b[0m up", Level.INFO),
    ("\x1b[1m\x1b[31merror\x1b[39m: no", Level.ERROR),
    ("there was an error: no", None),
    ("a log (see below)", None),
]
LINES = [text for text, _ in EXAMPLES]


@pytest.mark.parametrize(("text", "level"), EXAMPLES)
def test_a_level_is_read_as_servers_and_loggers_write_it(text: str, level: Level | None) -> None:
    assert level_of(text) is level


def test_a_level_of_a_megabyte_is_found_at_its_beginning_only() -> None:
    assert level_of("x" * 1_000_000 + " ERROR") is None
    assert level_of("ERROR " + "x" * 1_000_000) is Level.ERROR
