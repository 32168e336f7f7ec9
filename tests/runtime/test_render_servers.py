from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from prismctl.domain.plan import EngineName, Port, ServicePlan, StackPlan
from prismctl.domain.service import DEFAULT_STACK, Runtime, ServiceName, ServiceType
from prismctl.files.kafka_home import find_libs, read_kafka_version
from prismctl.files.paths import Home
from prismctl.runtime.command import render_command
from prismctl.runtime.servers import (
    data_check_here,
    kafka_archive_here,
    postgres_password_here,
)


@pytest.fixture
def kafka(tmp_path: Path) -> Path:
    """A Kafka as the release has it, without its content."""
    home = tmp_path / "kafka"
    for name in (
        "bin/kafka-server-start.sh",
        "bin/java",
        "libs/kafka_2.13-3.9.1.jar",
        "libs/a.jar",
    ):
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    return home


def render(tmp_path: Path, name: str, *command: str, **fields: Any) -> list[str]:
    service = ServicePlan(
        name=ServiceName(name),
        type=ServiceType.BACKEND,
        source="--with",
        runtime=Runtime.NATIVE,
        runtime_reason="",
        command=command,
        driver=name,
        ports=(Port(name="main", number=4711), Port(name="controller", number=4712)),
        **fields,
    )
    plan = StackPlan(
        stack=DEFAULT_STACK,
        engine=EngineName.LOCAL,
        engine_reason="",
        origin="test",
        services=(service,),
        base_env={"PATH": os.environ["PATH"]},
    )
    return list(render_command(service, 0, plan, Home(tmp_path).stack("default")).argv)


def render_kafka(tmp_path: Path, kafka: Path, *more: str, **env: str) -> list[str]:
    data = Home(tmp_path).stack("default").data / "kafka"
    script = str(kafka / "bin" / "kafka-server-start.sh")
    overrides = ("--override", f"log.dirs={data}", "--override", "listeners=X", *more)
    env = {"JAVA_HOME": str(kafka), **env}
    return render(tmp_path, "kafka", script, "/dev/null", *overrides, env=env)


def test_the_jars_of_a_kafka_are_found_from_its_script(kafka: Path) -> None:
    script = kafka / "bin" / "kafka-server-start.sh"
    assert find_libs(script) == kafka / "libs"
    assert read_kafka_version(script) == "3.9.1"
    assert find_libs(kafka / "libs" / "a.jar") == kafka / "libs"
    assert find_libs(Path("/bin/sh")) is None


def test_java_runs_kafka_with_its_jars_in_a_fixed_order(tmp_path: Path, kafka: Path) -> None:
    words = render_kafka(tmp_path, kafka)
    libs = kafka / "libs"
    classes = words[words.index("kafka.Kafka", len(words) - 8) - 1]
    assert classes == f"{libs}/a.jar:{libs}/kafka_2.13-3.9.1.jar"
    assert kafka_archive_here.__file__ in words
    assert any(word.startswith("-XX:SharedArchiveFile=") for word in words)
    assert words[-4:] == [
        "--override",
        f"log.dirs={tmp_path}/run/default/data/kafka",
        "--override",
        "listeners=X",
    ]


def test_kafkas_own_variables_count(tmp_path: Path, kafka: Path) -> None:
    words = render_kafka(
        tmp_path, kafka, KAFKA_HEAP_OPTS="-Xmx1g", KAFKA_OPTS="-Da='b c'", KAFKA_LOG4J_OPTS="-Dl=1"
    )
    for option in ("-Xmx1g", "-Da=b c", "-Dl=1"):
        assert option in words
    assert "-Xmx256m" not in words


def test_another_release_has_another_archive(tmp_path: Path, kafka: Path) -> None:
    def archive() -> str:
        words = render_kafka(tmp_path, kafka)
        return next(word for word in words if word.startswith("-XX:SharedArchiveFile="))

    before = archive()
    assert archive() == before
    os.utime(kafka / "libs" / "a.jar", ns=(1, 1))
    assert archive() != before


def test_a_kafka_without_jars_is_started_by_its_own_script(tmp_path: Path) -> None:
    words = render(tmp_path, "kafka", "/bin/true", "/dev/null")
    assert words[-2:] == ["/bin/true", "/dev/null"]
    assert kafka_archive_here.__file__ not in words


@pytest.mark.parametrize(("name", "needed_mb"), [("redis", 10), ("nats", 10), ("kafka", 10)])
def test_a_servers_data_directory_is_looked_at_first(
    tmp_path: Path, name: str, needed_mb: int
) -> None:
    data = str(Home(tmp_path).stack("default").data / name)
    words = render(tmp_path, name, "/bin/true", "--serve")
    script = [sys.executable, "-I", "-S", data_check_here.__file__]
    assert words == [*script, data, "", str(needed_mb), "", "/bin/true", "--serve"]


def place_redis(directory: Path, version: str) -> str:
    program = directory / "redis-server"
    program.write_text(f'#!/bin/sh\necho "Redis server v={version} sha=0:0"\n')
    program.chmod(0o755)
    return str(program)


def test_an_old_redis_lets_nobody_on_the_machine_run_programs_as_its_user(tmp_path: Path) -> None:
    old = render(tmp_path, "redis", place_redis(tmp_path, "6.0.16"), "--port", "1")
    assert old[-11:] == [
        *("--port", "1"),
        *("--rename-command", "CONFIG", ""),
        *("--rename-command", "MODULE", ""),
        *("--rename-command", "DEBUG", ""),
    ]
    new = render(tmp_path, "redis", place_redis(tmp_path, "7.0.15"), "--port", "1")
    assert new[-2:] == ["--port", "1"]


@pytest.mark.parametrize("own", [("mine.conf",), ("--requirepass", "x"), ("--aclfile", "x")])
def test_who_says_what_an_old_redis_refuses_is_not_contradicted(
    tmp_path: Path, own: tuple[str, ...]
) -> None:
    program = place_redis(tmp_path, "6.0.16")
    assert render(tmp_path, "redis", program, *own)[-len(own) - 1 :] == [program, *own]


def test_what_no_server_of_ours_is_starts_at_once(tmp_path: Path) -> None:
    assert render(tmp_path, "tool", "/bin/true") == ["/bin/true"]


def test_postgres_is_looked_at_first_and_its_data_is_a_copy(tmp_path: Path) -> None:
    data = str(Home(tmp_path).stack("default").data / "postgres")
    words = render(tmp_path, "postgres", "/bin/true", "-D", data, init=("/bin/echo", "-D", data))
    assert words[:4] == [sys.executable, "-I", "-S", data_check_here.__file__]
    assert words[-3:] == ["/bin/true", "-D", data]
    assert any(word.startswith(f"{tmp_path}/cache/servers/postgres-") for word in words)


def test_postgres_is_given_its_password_by_the_environment_alone(tmp_path: Path) -> None:
    data = str(Home(tmp_path).stack("default").data / "postgres")
    command = ("/bin/true", "-D", data)
    init = ("/bin/echo", "-D", data, "--auth-host=scram-sha-256")
    env = {"POSTGRES_PASSWORD": "s3cret"}
    words = render(tmp_path, "postgres", *command, init=init, env=env)
    script = words.index(postgres_password_here.__file__)
    assert words[script + 1 :] == [data, "0", "1", *command]
    assert "s3cret" not in " ".join(words)
    assert postgres_password_here.__file__ not in render(
        tmp_path, "postgres", *command, init=init, env={}
    )


def test_a_postgres_that_lets_everybody_in_has_a_template_of_its_own(tmp_path: Path) -> None:
    data = str(Home(tmp_path).stack("default").data / "postgres")
    init = ("/bin/echo", "-D", data, "--auth-host=scram-sha-256")

    def words(**env: str) -> list[str]:
        return render(tmp_path, "postgres", "/bin/true", "-D", data, init=init, env=env)

    trusting = words(POSTGRES_HOST_AUTH_METHOD="trust")
    assert "--auth-host=trust" in trusting
    template = next(word for word in trusting if "/cache/servers/postgres-" in word)
    assert template not in words()


def test_a_file_of_settings_is_written_before_the_start(tmp_path: Path) -> None:
    import subprocess

    Home(tmp_path).stack("default").data_of("nats", 0).mkdir(parents=True)
    file = tmp_path / "nats.conf"
    words = render(tmp_path, "nats", "/bin/cat", str(file), files={str(file): "max_payload: 3MB\n"})
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "max_payload: 3MB\n"
    assert file.stat().st_mode & 0o777 == 0o600
