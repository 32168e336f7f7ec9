"""The names of settings, for the tab key: it has no time to load what knows them. A test compares."""

from __future__ import annotations

from typing import Final

STACK_KEYS: Final = (
    "engine",
    "runtime",
    "containers",
    "auto_ports",
    "persist",
    "on_failure",
    "wait_timeout",
    "warm",
    "ports.dashboard",
    "limits.log_mb",
    "release_url",
    "release_key",
    "theme",
    "services",
)
"""Of the whole stack."""

SERVICE_KEYS: Final = (
    "port",
    "ports",
    "runtime",
    "persist",
    "replicas",
    "resources.memory",
    "memory_limit_mb",
    "resources.cpu",
    "container",
    "command",
    "args",
    "env",
    "health_check",
    "depends_on",
    "volumes",
    "working_directory",
    "one_shot",
    "stop_grace",
    "min_uptime",
    "watch",
    "type",
    "driver",
    "description",
    "tags",
    "required",
    "default",
    "memory_mb",
)
"""Of every service."""

OWN_KEYS: Final = {
    "prism-admin": (
        "ports.grpc",
        "ports.metrics",
    ),
    "pattern-launcher": (
        "ports.grpc",
        "ports.health",
        "ports.metrics",
    ),
    "memstore": (
        "ports.grpc",
        "ports.metrics",
    ),
    "redis": ("ports.db",),
    "postgres": (
        "shared_buffers_mb",
        "max_connections",
        "ports.db",
    ),
    "nats": (
        "jetstream",
        "max_payload_mb",
        "ports.client",
        "ports.monitor",
    ),
    "kafka": (
        "partitions",
        "retention_hours",
        "ports.broker",
        "ports.controller",
    ),
    "keyvalue-runner": (
        "ports.grpc",
        "ports.health",
    ),
    "pubsub-runner": (
        "ports.grpc",
        "ports.health",
    ),
    "prism-proxy": (
        "ports.data",
        "ports.control",
    ),
}
"""Of services that ship, what not every service has; their variables are too many to choose from."""
