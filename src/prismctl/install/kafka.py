"""Resolves Kafka with Maven, from the versions that ``toolchain/kafka/pom.xml`` pins.

There is no package of it, and its release is three times what a broker needs. What was resolved is kept beside every
home, as kafka-VERSION-HASH (HASH: of the pom), laid out as a release is: ``libs`` and the script that starts it.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.errors import MissingToolError, PrismError, UnavailableError
from prismctl.install.build_lock import hold_lock
from prismctl.install.commands import run_command, shorten_line
from prismctl.install.go_build import TOOLCHAIN
from prismctl.machine import find_program, tools_directory

if TYPE_CHECKING:
    from collections.abc import Mapping

POM: Final = TOOLCHAIN / "kafka" / "pom.xml"
TIMEOUT_SECONDS: Final = 600.0
SCRIPT_NAME: Final = "kafka-server-start.sh"

_VERSION: Final = re.compile(r"<artifactId>kafka_[\d.]+</artifactId>\s*<version>([\w.]+)</version>")
_SCRIPT: Final = """\
#!/bin/sh
# Starts Kafka: kafka-server-start.sh PROPERTIES [--override NAME=VALUE]...
libs=$(cd "$(dirname "$0")/../libs" && pwd) || exit 1
java=java
[ -z "$JAVA_HOME" ] || java=$JAVA_HOME/bin/java
# shellcheck disable=SC2086 # these are lists of words
exec "$java" ${KAFKA_HEAP_OPTS:--Xmx1G -Xms1G} $KAFKA_OPTS -cp "$libs/*" kafka.Kafka "$@"
"""


class Kafka(NamedTuple):
    """A Kafka that is there."""

    version: str
    directory: Path
    is_new: bool


class KafkaWish(NamedTuple):
    """What is known of a Kafka that somebody wants, before anything is done."""

    version: str
    directory: Path
    is_here: bool
    is_offline: bool
    """Nothing may be fetched."""


def look_for_kafka(environment: Mapping[str, str], *, is_offline: bool) -> KafkaWish:
    """Which Kafka it would be, and whether it is there."""
    version, directory = _name(environment)
    return KafkaWish(version, directory, directory.is_dir(), is_offline)


def libs_of(directory: Path) -> Path:
    """Where the jars of a Kafka are."""
    return directory / "libs"


async def ensure_kafka(environment: Mapping[str, str]) -> Kafka:
    """Have Maven resolve Kafka, unless it is there.

    Raises:
        MissingToolError: there is no Maven, or no Java for it and for Kafka.
        UnavailableError: Maven did not end in time.
        PrismError: it could not resolve everything, or the place cannot be written.
    """
    version, directory = _name(environment)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        async with hold_lock(directory.with_name(f".{directory.name}.lock")):
            is_new = not directory.is_dir()
            if is_new:
                await _resolve(directory, environment)
            _point(directory.with_name("kafka"), directory)
    except OSError as error:
        raise PrismError(
            f"cannot put Kafka into {directory}: {error.strerror}",
            hint="make it writable, or point PRISM_TOOLS_DIR somewhere else",
        ) from error
    return Kafka(version, directory, is_new=is_new)


def _name(environment: Mapping[str, str]) -> tuple[str, Path]:
    pom = POM.read_bytes()
    found = _VERSION.search(pom.decode())
    if found is None:
        raise AssertionError(f"{POM} names no version of Kafka")
    digest = hashlib.sha256(pom).hexdigest()[:12]
    return found[1], tools_directory(environment) / f"kafka-{found[1]}-{digest}"


async def _resolve(directory: Path, environment: Mapping[str, str]) -> None:
    """Fill the directory; it is whole or absent, and Maven writes nothing beside the pom."""
    for program, package in (("mvn", "maven"), ("java", "default-jre-headless")):
        if not find_program(program, environment):
            raise MissingToolError(
                f"Kafka needs `{program}`, which is not installed",
                hint=f"`apt-get install {package}`, or point KAFKA_HOME to a Kafka that is there",
            )
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=".kafka-") as place:
        work = Path(place)
        (work / "pom.xml").write_bytes(POM.read_bytes())
        kafka = work / "kafka"
        options = ("-DincludeScope=runtime", f"-DoutputDirectory={libs_of(kafka)}")
        answer = await run_command(
            (
                *(find_program("mvn", environment), "-q", "-B", "-f", str(work / "pom.xml")),
                *("dependency:copy-dependencies", *options),
            ),
            environment=environment,
            timeout_seconds=TIMEOUT_SECONDS,
        )
        if not answer.is_success:
            said = next((line for line in answer.lines if "ERROR" in line), "")
            raise UnavailableError(
                f"Maven could not resolve Kafka: {shorten_line(said) or answer.status}",
                hint="look whether Maven reaches its repository, or point KAFKA_HOME to a Kafka that is there",
            )
        script = kafka / "bin" / SCRIPT_NAME
        script.parent.mkdir()
        script.write_text(_SCRIPT, encoding="ascii")
        script.chmod(0o755)
        kafka.rename(directory)


def _point(link: Path, directory: Path) -> None:
    new = link.with_name(f".kafka.{os.getpid()}")
    new.unlink(missing_ok=True)
    new.symlink_to(directory.name)
    new.replace(link)
