"""The catalog that ships: what can be started before anybody has written anything.

The services are written down as values so that an untouched catalog needs no YAML to be parsed. The
text is the same catalog in the form people edit: each entry names a packaged service and states what is worth
seeing, the rest is completed from here. A test parses the text and compares.
"""

from __future__ import annotations

from typing import Final

from prismctl.domain.servers.kafka_properties import (
    CLUSTER,
    HEAP,
    PROPERTIES,
    render_overrides,
    render_variables,
)
from prismctl.domain.service import (
    CheckType,
    HealthCheck,
    PortDefinition,
    Resources,
    ServiceDefinition,
    ServiceName,
    ServiceType,
)

ADMIN: Final = ServiceName("prism-admin")
LAUNCHER: Final = ServiceName("pattern-launcher")
MEMSTORE: Final = ServiceName("memstore")

BUILTIN: Final = frozenset({ADMIN, LAUNCHER, MEMSTORE})
"""Services whose programs ship with prismctl."""

BINARY_CHECKS: Final[dict[str, HealthCheck | None]] = {
    ADMIN: HealthCheck(type=CheckType.TCP, port="grpc"),
    "keyvalue-runner": None,
    "pubsub-runner": None,
    "prism-proxy": None,
}
"""What can be asked of programs that were built elsewhere: they need not offer the health service ours offer.
``None``: only whether they live."""

CORE: Final = (
    ServiceDefinition(
        name=ADMIN,
        type=ServiceType.CORE,
        description="control plane: namespaces, proxies, launchers",
        required=True,
        ports=(
            PortDefinition(name="grpc", number=8981),
            PortDefinition(name="metrics", number=9190),
        ),
        args=(
            "serve",
            "--listen",
            "${self.host}",
            "--grpc-port",
            "${self.ports.grpc}",
            "--metrics-port",
            "${self.ports.metrics}",
            "--data-dir",
            "${self.data}",
            "--db",
            "sqlite://${self.data}/admin.db",
        ),
        health_check=HealthCheck(type=CheckType.GRPC, port="grpc"),
        resources=Resources(cpu_mhz=500, memory_mb=256),
    ),
    ServiceDefinition(
        name=LAUNCHER,
        type=ServiceType.CORE,
        description="starts pattern processes on demand",
        required=True,
        depends_on=(ADMIN,),
        ports=(
            PortDefinition(name="grpc", number=7070),
            PortDefinition(name="health", number=9093),
            PortDefinition(name="metrics", number=9193),
        ),
        args=(
            "--admin-endpoint",
            "${prism-admin.host}:${prism-admin.port}",
            "--launcher-id",
            "launcher-01",
            "--grpc-port",
            "${self.ports.grpc}",
            "--health-port",
            "${self.ports.health}",
            "--metrics-port",
            "${self.ports.metrics}",
            "--patterns-dir",
            "${stack.patterns}",
        ),
        # Ready means registered with admin; `/health` only says that it lives.
        health_check=HealthCheck(type=CheckType.HTTP, port="health", path="/ready"),
        resources=Resources(cpu_mhz=1000, memory_mb=512),
    ),
)
"""Given to every catalog that does not name them."""

OTHERS: Final = (
    ServiceDefinition(
        name=MEMSTORE,
        type=ServiceType.BACKEND,
        description="key-value store in memory, nothing else needed",
        driver="memory",
        default=True,
        ports=(PortDefinition(name="grpc"), PortDefinition(name="metrics")),
        args=("--grpc-port", "${self.ports.grpc}", "--metrics-port", "${self.ports.metrics}"),
        health_check=HealthCheck(type=CheckType.GRPC, port="grpc"),
    ),
    ServiceDefinition(
        name=ServiceName("redis"),
        type=ServiceType.BACKEND,
        description="key-value store",
        driver="redis",
        ports=(PortDefinition(name="db", number=6379),),
        container="redis:7-alpine",
        args=("redis-server", "--save", "", "--appendonly", "yes"),
        volumes=("${self.data}:/data",),
        program_version=">=5",
        command=(
            "redis-server",
            "--bind",
            "${self.host}",
            "--port",
            "${self.port}",
            "--dir",
            "${self.data}",
            "--save",
            "",
            "--appendonly",
            "yes",
        ),
        health_check=HealthCheck(type=CheckType.REDIS, port="db"),
    ),
    ServiceDefinition(
        name=ServiceName("postgres"),
        type=ServiceType.BACKEND,
        description="SQL database",
        driver="postgres",
        ports=(PortDefinition(name="db", number=5432),),
        container="postgres:16-alpine",
        # Who is let in as a superuser can run programs.
        env={"POSTGRES_PASSWORD": "${self.password}"},
        args=("postgres", "-c", "shared_buffers=16MB", "-c", "fsync=off"),
        volumes=("${self.data}:/var/lib/postgresql/data",),
        program_version=">=12",
        command=(
            "postgres",
            "-D",
            "${self.data}",
            "-p",
            "${self.port}",
            "-c",
            "listen_addresses=${self.host}",
            "-c",
            "unix_socket_directories=",
            "-c",
            "shared_buffers=16MB",
            "-c",
            "fsync=off",
        ),
        init=(
            "initdb",
            "-D",
            "${self.data}",
            "-U",
            "postgres",
            # No password is in what is copied: each stack's own is put in before the server starts.
            "--auth-local=peer",
            "--auth-host=scram-sha-256",
            "--no-instructions",
            "--wal-segsize=1",
            "-E",
            "UTF8",
            "--locale=C",
        ),
        user="postgres",
        # Empty where an entry gives the server a password of its own, or none.
        health_check=HealthCheck(
            type=CheckType.POSTGRES,
            port="db",
            password="${self.password:-}",  # noqa: S106 - a reference
        ),
        resources=Resources(cpu_mhz=300, memory_mb=256),
    ),
    ServiceDefinition(
        name=ServiceName("nats"),
        type=ServiceType.MESSAGING,
        description="messaging, with JetStream",
        driver="nats",
        # The second says how many messages came in; as long as it is here, the server is told to open it.
        ports=(PortDefinition(name="client", number=4222), PortDefinition(name="monitor")),
        container="nats:2.10-alpine",
        args=("-js", "-sd", "/data"),
        volumes=("${self.data}:/data",),
        program_version=">=2.2",
        command=(
            "nats-server",
            "-a",
            "${self.host}",
            "-p",
            "${self.port}",
            "-js",
            "-sd",
            "${self.data}",
        ),
        health_check=HealthCheck(type=CheckType.NATS, port="client", jetstream=True),
    ),
    ServiceDefinition(
        name=ServiceName("kafka"),
        type=ServiceType.MESSAGING,
        description="event log",
        driver="kafka",
        ports=(
            PortDefinition(name="broker", number=9092, is_advertised=True),
            PortDefinition(name="controller", is_advertised=True),
        ),
        container="apache/kafka:3.9.1",
        env={
            HEAP: "-Xms64m -Xmx256m",
            "CLUSTER_ID": CLUSTER,
            **render_variables({**PROPERTIES, "log.dirs": "/var/lib/kafka/data"}),
        },
        volumes=("${self.data}:/var/lib/kafka/data",),
        # The image's own account could not write to the data directory, which belongs to whoever starts the stack.
        container_user="0",
        program_version=">=3.4 <5",
        # Every property has its own word: the file that comes first has none in it.
        command=(
            "kafka-server-start.sh",
            "/dev/null",
            *render_overrides({**PROPERTIES, "log.dirs": "${self.data}"}),
        ),
        health_check=HealthCheck(type=CheckType.KAFKA, port="broker", start_period_seconds=60.0),
        resources=Resources(cpu_mhz=500, memory_mb=512),
    ),
    ServiceDefinition(
        name=ServiceName("keyvalue-runner"),
        type=ServiceType.PATTERN,
        description="serves KeyValue on a backend; the launcher starts it on demand",
        ports=(PortDefinition(name="grpc"), PortDefinition(name="health")),
        args=(
            "--proxy-addr",
            "localhost:9090",
            "--grpc-port",
            "${self.ports.grpc}",
            "--health-port",
            "${self.ports.health}",
        ),
        health_check=HealthCheck(type=CheckType.HTTP, port="health", path="/health"),
        resources=Resources(cpu_mhz=500, memory_mb=256),
    ),
    ServiceDefinition(
        name=ServiceName("pubsub-runner"),
        type=ServiceType.PATTERN,
        description="serves PubSub on a backend; the launcher starts it on demand",
        ports=(PortDefinition(name="grpc"), PortDefinition(name="health")),
        args=(
            "--proxy-addr",
            "localhost:9090",
            "--grpc-port",
            "${self.ports.grpc}",
            "--health-port",
            "${self.ports.health}",
        ),
        health_check=HealthCheck(type=CheckType.HTTP, port="health", path="/health"),
        resources=Resources(cpu_mhz=500, memory_mb=256),
    ),
    ServiceDefinition(
        name=ServiceName("prism-proxy"),
        type=ServiceType.CORE,
        description="data plane: routes requests to patterns",
        depends_on=(ADMIN,),
        ports=(
            PortDefinition(name="data", number=8980),
            PortDefinition(name="control", number=9090),
        ),
        args=(
            "--admin-endpoint",
            "${prism-admin.host}:${prism-admin.port}",
            "--proxy-id",
            "proxy-01",
            "--data-port",
            "${self.ports.data}",
            "--control-port",
            "${self.ports.control}",
        ),
        health_check=HealthCheck(type=CheckType.GRPC, port="control"),
        resources=Resources(cpu_mhz=500, memory_mb=256),
    ),
)
"""Named in the generated catalog; an entry of that name in any catalog is completed from here."""

PACKAGED: Final = {definition.name: definition for definition in (*CORE, *OTHERS)}
"""All of them, in the order of the generated catalog."""

_CATALOG_TEXT: Final = """\
# yaml-language-server: $schema=./services.schema.json
#
# What can be started on this machine. This file was generated once and is yours from now on: add services,
# change ports, remove what you never use. `prismctl dev catalog validate` checks it.
#
# The names below are known to prismctl: what an entry does not say is completed (checks, arguments, resources).
# `prismctl dev catalog show NAME` shows a whole definition.

services:
  # Core (always required)
  - name: prism-admin
    type: core
    port: 8981
    required: true

  - name: pattern-launcher
    type: core
    port: 7070
    required: true
    depends_on: [prism-admin]

  # Storage backends
  - name: memstore
    type: backend
    driver: memory
    default: true

  - name: redis
    type: backend
    driver: redis
    port: 6379
    container: redis:7-alpine

  - name: postgres
    type: backend
    driver: postgres
    port: 5432
    container: postgres:16-alpine

  # Messaging
  - name: nats
    type: messaging
    port: 4222
    container: nats:2.10-alpine

  # Its controller listener gets a free port: 9093 is the launcher's. `ports: [9092, 9093]` asks for it.
  - name: kafka
    type: messaging
    port: 9092
    container: apache/kafka:3.9.1

  # In no preset: the launcher starts the runners on demand
  - name: keyvalue-runner
    type: pattern

  - name: pubsub-runner
    type: pattern

  - name: prism-proxy
    type: core
    ports: [8980, 9090]
    depends_on: [prism-admin]

  # Your own: a name, and a `command` or a `container`. Take the `# ` off to have one of these, or all.

  # - name: clickhouse
  #   type: backend
  #   description: SQL for analytics
  #   container: clickhouse/clickhouse-server:latest
  #   ports: {native: 9000, http: 8123}
  #   env:
  #     CLICKHOUSE_DB: prism_dev
  #     CLICKHOUSE_USER: dev
  #     CLICKHOUSE_PASSWORD: ${self.password}   # made for this stack
  #   volumes:
  #     - ${self.data}:/var/lib/clickhouse
  #   health_check:
  #     type: http
  #     port: http
  #     path: /ping
  #     interval: 10s

  # - name: grafana
  #   type: observability
  #   description: charts
  #   container: grafana/grafana:latest
  #   port: 3000   # prismctl's own dashboard goes elsewhere then
  #   env:
  #     GF_AUTH_ANONYMOUS_ENABLED: true
  #   # volumes:
  #   #   - ./grafana:/etc/grafana/provisioning   # a directory beside this file
  #   health_check:
  #     type: http
  #     path: /api/health

  # - name: worker
  #   description: a program of this machine, beside this file
  #   command: [./bin/worker, --redis, "${redis.host}:${redis.port}"]
  #   depends_on: [redis]
"""


def render_catalog() -> str:
    """The text of the generated ``services.yaml``."""
    return _CATALOG_TEXT
