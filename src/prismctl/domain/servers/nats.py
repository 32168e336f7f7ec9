"""NATS: what has no option on its command line is read from a file, which is written before each start."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from prismctl.domain.servers.server import Server, Setting, chosen, with_words, without_word
from prismctl.domain.service import Runtime
from prismctl.domain.shape import Flag, Whole

if TYPE_CHECKING:
    from prismctl.domain.service import ServiceDefinition

MONITOR: Final = "monitor"
"""A port of this name is where the server tells what it counts; it listens at the address that clients are served at."""

_JETSTREAM: Final = "-js"
_VARIABLE: Final = "PRISM_NATS_SETTINGS"
_IN_CONTAINER: Final = "/tmp/nats-settings.conf"  # noqa: S108 - the container's own

SETTINGS: Final = {
    "jetstream": Setting(Flag(), "streams that are kept on disk", "true", "`-js`"),
    "memory_mb": Setting(
        Whole(1, 1 << 20),
        "how much streams that are kept in memory may hold",
        "three quarters of the machine's",
        "`jetstream.max_mem`",
    ),
    "max_payload_mb": Setting(Whole(1, 64), "the largest message", "1", "`max_payload`"),
}


def configure(
    definition: ServiceDefinition, runtime: Runtime, *, persists: bool
) -> ServiceDefinition:
    """JetStream and monitoring as options; the rest as a file, of which a container makes one for itself."""
    del persists
    if chosen(definition, "jetstream") is False:
        definition = without_word(definition, _JETSTREAM)
        if definition.health_check is not None:
            check = replace(definition.health_check, jetstream=False)
            definition = replace(definition, health_check=check)
    has_words = runtime is Runtime.NATIVE or bool(definition.args)
    if has_words and any(port.name == MONITOR for port in definition.ports):
        # Without words of its own, an image would lose those that it has.
        definition = with_words(definition, runtime, "-m", f"${{self.ports.{MONITOR}}}")
    text = render_settings(definition)
    if not text:
        return definition
    if runtime is Runtime.NATIVE:
        path = "${self.data}.conf"
        definition = replace(definition, files={**definition.files, path: text})
        return with_words(definition, runtime, "-c", path)
    script = (
        f'printf %s "${_VARIABLE}" >{_IN_CONTAINER} && exec nats-server -c {_IN_CONTAINER} "$@"'
    )
    return replace(
        definition,
        env={**definition.env, _VARIABLE: text},
        args=("sh", "-c", script, "nats-server", *definition.args),
    )


def render_settings(definition: ServiceDefinition) -> str:
    """The file's text; empty when there is nothing to say in it."""
    lines = []
    payload = chosen(definition, "max_payload_mb")
    if payload is not None:
        lines.append(f"max_payload: {payload}MB")
    memory = chosen(definition, "memory_mb")
    if memory is not None and chosen(definition, "jetstream") is not False:
        lines.append(f"jetstream {{ max_mem: {memory}MB }}")
    return "".join(f"{line}\n" for line in lines)


NATS: Final = Server(
    driver="nats",
    title="NATS",
    programs=("nats-server",),
    settings=SETTINGS,
    configure=configure,
)
