"""Writes docs/reference/catalog.md from the catalog's own description, so that the page cannot say anything else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.catalog_keys import catalog_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PAGE: Final = Path(__file__).parents[1] / "docs" / "reference" / "catalog.md"

HEAD: Final = """\
# The catalog

`~/.prism/services.yaml`, or the file given with `--services`. It is made on the first start and yours from then on.
`prismctl dev catalog validate FILE` tells every mistake at once, by line and column; `prismctl dev catalog schema` prints the JSON Schema
from which this page is made.

- A service with `command` runs a program of this machine, one with `container` an image; one with neither is a service that
  ships with prismctl, or a program of its name in `build/binaries` or on PATH.
- `args` come after the program of `command` and after the image of `container`, whichever of the two runs. A packaged service's own are
  for its image; where an entry writes some, they replace those, and are added to the packaged `command`.
- A catalog that doesn't name the core services gets the packaged ones; `core: false` leaves them out. An entry with the name of a packaged
  service completes it: what the entry doesn't say stays as packaged.
- `services.local.yaml` beside it (`NAME.local.yaml` beside a `NAME.yaml`) lies over it: its entries complete those of the same name, as
  an entry completes a packaged one, and others are added. `catalog list` and `catalog validate` name both. Wherever a catalog is read,
  the one over it is: home's, a project's, and one given with `--services`.
- Relative paths are relative to the catalog's file. Durations are `500ms`, `10s`, `2m`, or seconds.

## Values from elsewhere

Replaced once, when the plan is made. Only `${` is special; `$${` writes it, a lone `$` is a dollar.

| written | becomes |
| --- | --- |
| `${self.port}`, `${self.ports.NAME}`, `${self.host}` | where the service itself listens |
| `${self.data}` | its data directory |
| `${NAME.host}`, `${NAME.port}`, `${NAME.ports.PORT}` | where another service of the plan listens |
| `${self.password}`, `${NAME.password}` | a [password](environment.md#passwords) made for this stack; only in `env` and in a check's `password` |
| `${VAR}`, `${VAR:-default}` | a variable of the shell that starts the stack |

Replaced in commands, arguments, `env`, volumes, and in a check's `command`, `path`, `user` and `password`.

A reference to a service or a port that the catalog doesn't have is a mistake of the catalog, found before anything starts. A service that
the catalog has and the start leaves out, and a variable that is not set, are mistakes of that start.

## What a service waits for

```yaml
depends_on: [redis, kafka]     # both healthy, or as one-shots completed
depends_on:
  migrate: {condition: completed}
  redis: {condition: started}
  kafka: {required: false}
```

| condition | waits until the other service |
| --- | --- |
| `healthy` (when nothing is said) | is healthy, or as a one-shot completed |
| `started` | has begun; whether it answers does not count |
| `completed` | has ended with exit code 0; only for a one-shot |

What is required comes along with whoever depends on it, and when it fails for good, so does that. With `required: false` nothing comes
along: where the other service is in the stack it is waited for, and when it fails for good, the start goes on without it. It need not even
be in the file, since one laid over it may have it; `catalog validate` tells of it in a note, with the nearest name there is.
Stops go the other way round, whatever the condition.

## Ports

| written | means |
| --- | --- |
| `port: 8080` | port 8080 of this machine, TCP; `"8080/tcp"` says the same |
| `port: "5353/udp"` | port 5353, UDP |
| `port: auto`, `port: auto/udp` | a free one |
| `ports: {dns: "5353/udp", dns-tcp: 5353}`, `ports: ["5353/udp", 5353]` | several; the first is the main one. One may stand alone: `ports: "5353/udp"` |

The same number can be had once for each protocol. A taken port is found before anything starts, with who has it, and
`--auto-ports` takes a free one of the same protocol instead, for UDP as for TCP. An overlay or a profile that gives a port another number
and no protocol leaves it what it is.

Nothing answers at a UDP port unless the server wants to, so a service with no other ports has no check of its own accord: it is healthy
once its process has taken all of them, where that can be seen (Linux, and not through a container's own network), else once it has lived for
`min_uptime`. `type: exec` asks by a command and `type: log` by a line that is printed; any other type of check at a
UDP port is a mistake. Consul lists the service at that port, without a check.

## Ports and memory of containers

`port: "8080:80"` is port 8080 of this machine and 80 inside the container; `auto:80` takes a free one; `"8053:53/udp"` is UDP. The address is always 127.0.0.1.
Without a number inside, the server is expected at the number that is written, also when the port outside has to move. A container that
refers to other services (`${redis.port}`) shares the machine's network, and its ports cannot be mapped: let it listen on `${self.port}`.

`volumes` are for containers: a program of this machine sees all of it, so that an entry with volumes and no `container` is a mistake.
`./data:/data` is a directory beside the catalog, which has to be there; `data:/data`, without a slash, is one of the service's own data;
`:ro` behind it makes it read-only.

`memory_mb` is a limit for containers: who needs more is killed. For programs of this machine it is only what a scheduler reserves.

## Services that run elsewhere

With `external: {host: db.example.org, port: 5432}` nothing is started, restarted or stopped. The service is asked at that address, by its
check or whether the port accepts, and is `healthy` or `unhealthy` by the answer; dependents wait for it, and references and
`prismctl dev env` have its address. An entry with the name of a packaged service keeps what that is asked.

`port: "5353/udp"` is a UDP port there, and `ports` several, as of any service: `external: {host: dns.example.org, ports: ["53/udp", 53]}`. One
that is TCP is asked. Where all are UDP, nothing can be known from here, and nothing is asked: the service is called `healthy` from the start,
`status` says why, and those who depend on it do not wait.

## When a service is healthy

| type of check | healthy when |
| --- | --- |
| `tcp` | somebody accepts at the port |
| `http` | a `GET` of `path` is answered with a status below 400 |
| `grpc` | the standard gRPC health service says `SERVING` |
| `redis` | `PING` is answered; not while the dataset is loaded |
| `postgres` | `select 1` is answered; not while the server starts, recovers or stops |
| `nats` | `PING` is answered, and with `jetstream: true` a request to JetStream |
| `kafka` | a broker is named and a controller is known |
| `exec` | a command exits with 0 |
| `log` | a line of the output matches |

With `user` and `password`, `redis`, `postgres` (in clear text, MD5 and SCRAM-SHA-256) and `nats` are logged in to, and a login that fails
is the reason why the service is not healthy; for `nats` a password alone is a token. On Linux, another user's process that was quicker at the port is told no password, and named. Without them, a server that asks who we are is
healthy: it speaks its protocol. None of them speaks TLS; `tcp` and `exec` are for servers that insist on it. On Nomad, Consul shows for the
four whether the port accepts; what depends on them waits for the answer itself.
"""


def render_page() -> str:
    """The page as text."""
    schema = catalog_schema()
    parts = [HEAD, "\n## Keys of the file\n", *_table(schema["properties"])]
    service = _object_in(schema["properties"]["services"])
    parts += ["\n## Keys of a service\n", *_table(service["properties"])]
    for name, key in service["properties"].items():
        inner = _object_in(key)
        if inner.get("properties"):
            parts += [f"\n### Keys of `{name}`\n", *_table(inner["properties"])]
    return "\n".join(part.rstrip("\n") if part is HEAD else part for part in parts) + "\n"


def _table(keys: Mapping[str, Any]) -> Iterator[str]:
    yield "| key | takes | means |"
    yield "| --- | --- | --- |"
    for name, key in keys.items():
        yield f"| `{name}` | {_takes(key)} | {key.get('description', '')} |"


def _takes(key: Mapping[str, Any]) -> str:
    if "enum" in key:
        return " ".join(f"`{choice}`" for choice in key["enum"] if choice is not None)
    if "anyOf" in key:
        kinds = [_takes(each) for each in key["anyOf"]]
        return " or ".join(dict.fromkeys(kind for kind in kinds if kind))
    kind = key.get("type", "")
    if isinstance(kind, list):
        is_scalar = {"string", "integer", "boolean"} <= set(kind)
        kinds = ["string"] if is_scalar else kind
        return " or ".join(_takes({"type": each}) for each in kinds if each != "null")
    names = {
        "string": "text",
        "integer": "number",
        "boolean": "true or false",
        "object": "keys",
        "null": "",
    }
    if kind == "array":
        items = _takes(key.get("items", {}))
        return f"list of {items}" if items else "list"
    return names.get(kind, str(kind))


def _object_in(key: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object that a key takes, alone or in a list; empty where it takes none."""
    for each in (key, *key.get("anyOf", ())):
        if "properties" in each:
            found: Mapping[str, Any] = each
            return found
        if "items" in each:
            return _object_in(each["items"])
    return {}


if __name__ == "__main__":
    PAGE.write_text(render_page(), encoding="utf-8")
