"""Status documents and logs of made-up stacks, as the daemon gives them."""

from __future__ import annotations

from typing import Any

from prismctl.tui.dashboard.logbook import Logbook, LogLine


def service(name: str, state: str = "healthy", **more: Any) -> dict[str, Any]:
    is_up = state in {"healthy", "unhealthy"}
    return {
        "name": name,
        "type": "backend",
        "runtime": "builtin",
        "state": state,
        "reason": "",
        "replicas": {"wanted": 1, "healthy": int(state == "healthy")},
        "ports": [],
        "pid": 4711 if is_up else None,
        "restarts": 0,
        "memory_bytes": 38_000_000 if is_up else None,
        "cpu_percent": 1.2 if is_up else None,
        "requests_per_second": None,
        "latency_p95_seconds": None,
        "requests_unit": None,
        "depends_on": [],
        "last_error": None,
        **more,
    }


def port(number: int) -> list[dict[str, Any]]:
    return [{"name": "main", "host": "127.0.0.1", "port": number, "protocol": "tcp"}]


def status(*services: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "schema": 1,
        "stack": "default",
        "engine": "nomad",
        "state": "running",
        "origin": "preset redis",
        "uptime_seconds": 332.0,
        "memory_bytes": 412_000_000,
        "memory_limit_bytes": 24_000_000_000,
        "components": {"nomad": "ready", "consul": "ready"},
        "notes": [],
        "waiting": None,
        "services": list(services),
        **more,
    }


ADMIN = service(
    "prism-admin",
    type="core",
    ports=port(8981),
    requests_per_second=45.0,
    requests_unit="req/s",
    latency_p95_seconds=0.0012,
)
LAUNCHER = service(
    "pattern-launcher",
    type="core",
    ports=port(7070),
    requests_per_second=8.0,
    requests_unit="req/s",
    latency_p95_seconds=0.0009,
    depends_on=["prism-admin"],
)
REDIS = service(
    "redis",
    ports=port(6379),
    requests_per_second=12_345.0,
    requests_unit="ops/s",
    latency_p95_seconds=0.0001,
    restarts=1,
    last_error="killed by SIGKILL",
    note="earlier: killed by SIGKILL",
)
NATS = service("nats", ports=port(4222), restarts=2, replicas={"wanted": 3, "healthy": 3})
RUNNING = status(ADMIN, LAUNCHER, REDIS, NATS)

BACK = service(
    "redis",
    ports=port(6379),
    restarts=1,
    last_error="was killed by SIGKILL",
    last_exit={"at": "2026-01-02T03:00:06.500Z", "instance": 0},
    instances=[{"index": 0, "started_at": "2026-01-02T03:00:06.507Z"}],
    note="was killed by SIGKILL 3 s ago; restarted",
    alarm=True,
)
"""It was killed, and was up again before anybody looked."""
KILLED = status(ADMIN, BACK, service("web", depends_on=["redis"]))
OVER_IT = status(
    ADMIN,
    {**BACK, "note": "earlier: was killed by SIGKILL", "alarm": False},
    service("web", depends_on=["redis"]),
)
"""The same, once that is no news any more."""

FAILED = service(
    "postgres",
    "failed",
    ports=port(5432),
    reason="exited 6 times with code 1; not tried again",
    restarts=5,
    last_error="exited with code 1",
)
WAITING = service(
    "keyvalue-runner",
    "waiting",
    reason="waits for postgres, which failed",
    depends_on=["postgres", "prism-admin"],
)
BROKEN = status(ADMIN, LAUNCHER, FAILED, WAITING, state="degraded")

HELD_UP = status(
    service("slow", "unhealthy", reason="HTTP 404 from 127.0.0.1:80/health, 41.6 s"),
    service("db", "failed", reason="exited 6 times with code 3; not tried again"),
    service(
        "api",
        "failed",
        reason="db can never be ready",
        last_error="db can never be ready",
        depends_on=["db"],
        instances=[{"index": 0, "started_at": None}],
    ),
    state="degraded",
)
"""One of them has never run, because another failed."""

STARTING = status(
    service("prism-admin", "starting", reason="connection refused", ports=port(8981)),
    service(
        "pattern-launcher", "waiting", reason="waits for prism-admin", depends_on=["prism-admin"]
    ),
    service("redis", ports=port(6379)),
    state="starting",
    uptime_seconds=2.0,
    waiting={
        "on": "prism-admin",
        "type": "service",
        "reason": "connection refused",
        "chain": ["prism-admin", "pattern-launcher"],
    },
)


def log(text: str, name: str = "prism-admin", second: int = 0, replica: int = 0) -> LogLine:
    return LogLine(f"2026-01-02T03:{second // 60:02d}:{second % 60:02d}Z", name, replica, text)


def book(*lines: LogLine) -> Logbook:
    made = Logbook()
    made.add(lines)
    made.is_read = True
    return made


SAID = (
    log("[INFO] serving on :8981", second=1),
    log("[WARN] launcher is late", second=2),
    log("PostgreSQL starting", "postgres", 3),
    log('FATAL:  data directory "/data/postgres" has wrong ownership', "postgres", 4),
    log("HINT:  The server must be started by the user that owns it.", "postgres", 5),
    log("[INFO] launcher registered", second=6),
    log("Ready to accept connections", "redis", 7),
)
