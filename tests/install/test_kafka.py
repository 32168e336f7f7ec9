from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import MissingToolError, PrismError, UnavailableError
from prismctl.files.kafka_home import read_kafka_version
from prismctl.files.paths import Home
from prismctl.install.init_steps import init_steps
from prismctl.install.kafka import ensure_kafka, libs_of, look_for_kafka
from prismctl.install.survey import Survey
from prismctl.machine import find_program

if TYPE_CHECKING:
    from pathlib import Path

RESOLVES = """#!/bin/sh
echo asked >>"$HOME/asked"
for word; do case $word in -DoutputDirectory=*) libs=${word#*=};; esac; done
mkdir -p "$libs" && : >"$libs/kafka_2.13-3.9.1.jar"
"""
FAILS = "#!/bin/sh\necho '[ERROR] Could not resolve org.apache.kafka'; exit 1\n"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A machine with Maven and Java, and a place for tools."""
    for name, text in (("mvn", RESOLVES), ("java", "#!/bin/sh\n")):
        program = tmp_path / "path" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text)
        program.chmod(0o755)
    return {
        "PATH": f"{tmp_path}/path:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PRISM_TOOLS_DIR": str(tmp_path / "tools"),
    }


async def test_kafka_is_resolved_once_and_found_by_a_start(
    environment: dict[str, str], tmp_path: Path
) -> None:
    first, second = await asyncio.gather(ensure_kafka(environment), ensure_kafka(environment))

    assert {first.is_new, second.is_new} == {True, False}
    assert (tmp_path / "asked").read_text() == "asked\n"
    script = find_program("kafka-server-start.sh", {**environment, "PATH": "/nowhere"})
    assert script == f"{tmp_path}/tools/kafka/bin/kafka-server-start.sh"
    assert (
        read_kafka_version(tmp_path / "tools" / "kafka" / "bin" / "x") == first.version == "3.9.1"
    )
    assert libs_of(first.directory).is_dir()


async def test_what_maven_could_not_resolve_leaves_nothing(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "path" / "mvn").write_text(FAILS)
    with pytest.raises(UnavailableError, match="Could not resolve"):
        await ensure_kafka(environment)
    assert [path.suffix for path in (tmp_path / "tools").iterdir()] == [".lock"]


async def test_without_maven_the_way_to_it_is_told(environment: dict[str, str]) -> None:
    with pytest.raises(MissingToolError, match="Kafka needs `mvn`") as raised:
        await ensure_kafka({**environment, "PATH": "/nowhere"})
    assert "`apt-get install maven`" in raised.value.hint
    assert "KAFKA_HOME" in raised.value.hint


async def test_init_offline_takes_a_kafka_that_is_here_and_fetches_none(
    environment: dict[str, str], tmp_path: Path
) -> None:
    async def run() -> str:
        wish = look_for_kafka(environment, is_offline=True)
        survey = Survey(decisions=(), providers={}, bundle=None, kafka=wish)
        steps = init_steps(survey, Home(tmp_path / "home"), environment, declined=())
        step = next(step for step in steps if step.name == "kafka")
        return (await step.act(lambda _: None)).detail

    with pytest.raises(PrismError, match="--offline fetches nothing"):
        await run()
    await ensure_kafka(environment)
    assert (await run()).startswith("3.9.1 at ")
