"""Kafka: one process that is broker and controller (KRaft), told everything as properties."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from prismctl.domain.servers.kafka_properties import HEAP, render_overrides, render_variables
from prismctl.domain.servers.server import Server, Setting, chosen
from prismctl.domain.service import Runtime
from prismctl.domain.shape import Whole

if TYPE_CHECKING:
    from prismctl.domain.service import ServiceDefinition

SETTINGS: Final = {
    "memory_mb": Setting(Whole(64, 1 << 20), "how large its heap may grow", "256", "`-Xmx`"),
    "partitions": Setting(
        Whole(1, 1000),
        "how many partitions a topic has that was made without saying",
        "1",
        "`num.partitions`",
    ),
    "retention_hours": Setting(
        Whole(1, 24 * 3650), "how long messages are kept", "168", "`log.retention.hours`"
    ),
}


def configure(
    definition: ServiceDefinition, runtime: Runtime, *, persists: bool
) -> ServiceDefinition:
    """The settings as properties in the form that the runtime takes, the heap in a variable."""
    del persists
    properties = {
        name: str(value)
        for key, name in (
            ("partitions", "num.partitions"),
            ("retention_hours", "log.retention.hours"),
        )
        if (value := chosen(definition, key)) is not None
    }
    env = dict(definition.env)
    memory = chosen(definition, "memory_mb")
    if memory is not None:
        env[HEAP] = f"-Xms{min(memory, 64)}m -Xmx{memory}m"
    if runtime is Runtime.NATIVE:
        # Kafka's own scripts look there, before PATH.
        env.setdefault("JAVA_HOME", "${JAVA_HOME:-}")
        command = (*definition.command, *render_overrides(properties))
        return replace(definition, command=command, env=env)
    return replace(definition, env={**env, **render_variables(properties)})


KAFKA: Final = Server(
    driver="kafka",
    title="Kafka",
    programs=("kafka-server-start.sh", "kafka-server-start"),
    settings=SETTINGS,
    configure=configure,
    needs=("java",),
)
