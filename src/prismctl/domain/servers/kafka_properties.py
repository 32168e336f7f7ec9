"""What the packaged Kafka is told: one process, fit for a development machine, back soon after a crash.

Its program gets properties as ``--override NAME=VALUE``, the official image as variables; both are made from one table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

HEAP: Final = "KAFKA_HEAP_OPTS"
"""The variable in which Kafka's scripts, and the image, look for the size of the heap."""

CLUSTER: Final = "cHJpc21jdGwtZGV2LWNsdQ"
"""Every Kafka of every stack has the same: none ever meets another."""

PROPERTIES: Final = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": "1@localhost:${self.ports.controller}",
    "controller.listener.names": "CONTROLLER",
    "listeners": "BROKER://${self.host}:${self.ports.broker},CONTROLLER://localhost:${self.ports.controller}",
    "advertised.listeners": "BROKER://127.0.0.1:${self.ports.broker}",
    "inter.broker.listener.name": "BROKER",
    "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    # One broker has to be enough for what Kafka keeps for itself.
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    # After a crash the dead broker's session has to lapse before the new one is let in: a second, not nine.
    "broker.session.timeout.ms": "1000",
    "broker.heartbeat.interval.ms": "200",
    "controller.quorum.election.timeout.ms": "200",
    "group.initial.rebalance.delay.ms": "0",
    # Its own 128 MB would be most of the heap, for a log that is compacted in one go anyway.
    "log.cleaner.dedupe.buffer.size": "8388608",
    "num.network.threads": "1",
    "num.io.threads": "2",
}


def render_overrides(properties: Mapping[str, str]) -> tuple[str, ...]:
    """Properties as Kafka's program takes them."""
    pairs = (("--override", f"{name}={value}") for name, value in properties.items())
    return tuple(word for pair in pairs for word in pair)


def render_variables(properties: Mapping[str, str]) -> dict[str, str]:
    """Properties as the official image takes them."""
    return {f"KAFKA_{name.replace('.', '_').upper()}": text for name, text in properties.items()}
