"""Writes docs/reference/backends.md from the tables that validate and start servers, so that it cannot say anything else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.domain.packaged import PACKAGED
from prismctl.domain.servers.registry import SERVERS
from prismctl.domain.service import ServiceName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prismctl.domain.servers.server import Server

PAGE: Final = Path(__file__).parents[1] / "docs" / "reference" / "backends.md"

HEAD: Final = """\
# Backends

Redis, PostgreSQL, NATS and Kafka run in a container of their official image, or natively: as a program of this machine. `runtime` in
`config.yaml` or in the catalog says which is preferred; `auto` takes a container where Podman works and the image can be had.

## Settings

In the catalog under `config` of a service, in a profile under `config.SERVICE`. They reach the server in either runtime. A key that
the server doesn't know is a mistake, told with the nearest one.

```yaml
# services.yaml                  # profiles/my-redis-setup.yaml
services:                        # services: [redis, nats]
  - name: redis                  # config:
    config:                      #   redis: {memory_mb: 512, persist: true}
      memory_mb: 512             #   nats: {jetstream: true}
```

They are for services whose `driver` is one of these, run by the server's own program or by an image that takes the same arguments
as the official one. In a profile, `memory_mb` is also what a scheduler reserves, and `persist` works for every service.
"""

REST: Final = """\

## Figures

| server | counted | latency (p95) |
| --- | --- | --- |
| Redis | `ops/s`, errors | the server's own histogram (Redis 7 or newer), else `–` |
| PostgreSQL | `tx/s`, errors | `–`: it keeps no histogram. `pg_stat_statements`, which has to be loaded and made first, knows the mean and the extremes of each statement; no share of all requests follows from that |
| NATS | `msg/s` | `–`: `/varz` has none. The round trips that `/connz` has are the network's, and when a message was worked on the server does not learn |
| Kafka | `msg/s` | `–`: a broker's `RequestMetrics` are told over JMX alone, which lets whoever reaches it run code and stays shut; its percentiles are per kind of request, over minutes rather than seconds, and with the time that a reader waits for something to come |

`–` is `null` in the [status document](status-document.md). [What the figures are](../explanation/figures.md).

## Native servers

| server | program | where it is looked for besides PATH |
| --- | --- | --- |
| Redis | `redis-server` | |
| PostgreSQL | `postgres`, `initdb` | `/usr/lib/postgresql/*/bin`, `/usr/pgsql-*/bin`, Homebrew's `postgresql@*`: the newest |
| NATS | `nats-server` | `/usr/sbin`, `/usr/local/sbin` |
| Kafka | `kafka-server-start.sh`, and `java` | `$KAFKA_HOME/bin` before PATH; what `prismctl dev init --with kafka` has brought; `/opt/kafka/bin`, Homebrew's. Java: `$JAVA_HOME/bin` before PATH |

The version of a program is read before the start and compared with `native.version`, for example `">=15 <18"`: a program of another version
is not started. It is asked once, and again when its file has changed. Who only looks (`start --dry-run`, `config show`, `config explain`, `export --bundle`) runs
no program that the catalog names by its path.

Before each of these four is started, natively or in a container, its data directory is looked at: on a file system that can only be read, on a full
disk (10 MB are needed, 24 for PostgreSQL) or, natively, with something of somebody else's in it that could not be written to (for root: of neither root,
home's owner nor the service's own account), it is refused with a sentence in the service's log and exit code 78; nothing is changed. The sentence
is also the reason in `prismctl dev status`, and the service is not tried again until `prismctl dev restart`.

- **PostgreSQL.** A cluster is made with `initdb` once a home, and copied for each stack (`cache/servers`). Started by root, it runs as `postgres`.
  It asks for a [password](environment.md#passwords), which `DATABASE_URL` has: `psql "$DATABASE_URL"` after `eval "$(prismctl dev env)"`. `POSTGRES_USER`,
  `POSTGRES_PASSWORD`, `POSTGRES_DB` and `POSTGRES_HOST_AUTH_METHOD` in its `env` mean natively what they mean to the image.
  Data of another major version is refused, in a container, too.
- **Kafka.** One process, broker and controller. Java is started without Kafka's script; what that would take from the environment counts
  all the same: `KAFKA_HEAP_OPTS`, `KAFKA_JVM_PERFORMANCE_OPTS`, `KAFKA_LOG4J_OPTS`, `KAFKA_OPTS`. Its storage is formatted once a home
  and copied. The first start has an archive of its classes made in the background, at the lowest priority, which later starts are faster
  with; a stop does not wait for it. The controller listens on a free port of its own.

## What survives

| | restart, crash of the server | next start | loss of power |
| --- | --- | --- | --- |
| as it ships | kept | fresh; the old data is put aside | can be lost or damaged |
| `persist: true`, `--persist` | kept | kept | kept, as far as the server promises: PostgreSQL all that was committed, Redis all but the last second |

PostgreSQL always commits synchronously; `fsync` is off only where its data ends with the stack, and `prismctl dev status` says so.
"""  # noqa: RUF001 - what screens show where nothing is known


NOTES: Final = {
    "redis": """\
A `redis-server` before 7 is started without the commands `CONFIG`, `MODULE` and `DEBUG`, with which every user of the machine could run programs as you; one with a file of
settings, `--requirepass`, `--aclfile` or `--rename-command` in its `command` is left as it is.
""",
    "kafka": """\
Who may change the settings of a Kafka before 3.4 could have it load code, and everybody here may.
""",
    "nats": """\
Its second port, `monitor`, is a free one: `/varz` there is where [figures](../explanation/figures.md) come from. An entry that names its ports
(`ports: {client: 4222}`) has it only if it names it, too.
""",
}
"""What there is to say of a server below its table."""


def render_page() -> str:
    """The page as text."""
    return HEAD + "".join(f"\n{text}" for text in map(_section, SERVERS.values())) + REST


def _section(server: Server) -> str:
    note = NOTES.get(server.driver, "")
    return "".join(f"{line}\n" for line in _lines(server)) + (f"\n{note}" if note else "")


def _lines(server: Server) -> Iterator[str]:
    packaged = PACKAGED[ServiceName(server.driver)]
    yield f"### {server.title}"
    yield ""
    yield f"Image `{packaged.container}`; native: version {packaged.program_version}."
    yield ""
    yield "| key | means | without it | the server's own name |"
    yield "| --- | --- | --- | --- |"
    for key, setting in server.settings.items():
        yield f"| `{key}` | {setting.meaning} | {setting.default} | {setting.becomes} |"


if __name__ == "__main__":
    PAGE.write_text(render_page(), encoding="utf-8")
