from __future__ import annotations

from dataclasses import replace

import pytest

from prismctl.domain.choice import (
    EngineChoice,
    MachineFacts,
    Refusal,
    RuntimeChoice,
    choose_engine,
    choose_runtime,
)
from prismctl.domain.containers import (
    PODMAN,
    ContainerFacts,
    ContainerTool,
    ImageFacts,
    no_containers,
)
from prismctl.domain.packaged import ADMIN, PACKAGED
from prismctl.domain.plan import EngineName
from prismctl.domain.service import Runtime, ServiceDefinition, ServiceName

TOOL = ContainerTool(kind=PODMAN, program="/usr/bin/podman")
WORKING = ContainerFacts(TOOL, "", lambda _: ImageFacts(is_here=True, can_be_had=True))
REDIS = PACKAGED[ServiceName("redis")]
KAFKA = PACKAGED[ServiceName("kafka")]


def facts(
    *,
    programs: tuple[str, ...] = (),
    binaries: tuple[str, ...] = (),
    tools: tuple[str, ...] = (),
    containers: ContainerFacts | None = None,
    system: str = "linux",
) -> MachineFacts:
    return MachineFacts(
        find_program=lambda name: f"/usr/bin/{name}" if name in programs else "",
        find_binary=lambda name: f"/p/build/binaries/{name}" if name in binaries else "",
        tools={tool: f"/usr/bin/{tool}" for tool in tools},
        look_for_containers=lambda: containers or no_containers("Podman is not installed"),
        system=system,
    )


def test_a_prism_service_ships_with_the_tool() -> None:
    choice = choose_runtime(PACKAGED[ADMIN], facts())
    assert choice == RuntimeChoice(Runtime.BUILTIN, ADMIN, "")


def test_a_built_binary_wins_over_path_and_over_what_ships() -> None:
    choice = choose_runtime(PACKAGED[ADMIN], facts(programs=(ADMIN,), binaries=(ADMIN,)))
    assert choice == RuntimeChoice(
        Runtime.BINARY, "/p/build/binaries/prism-admin", "build/binaries/prism-admin is there"
    )


def test_a_program_on_path_wins_over_what_ships() -> None:
    choice = choose_runtime(PACKAGED[ADMIN], facts(programs=(ADMIN,)))
    assert choice == RuntimeChoice(Runtime.BINARY, "/usr/bin/prism-admin", "prism-admin is on PATH")


def test_a_runner_without_a_program_is_refused_with_what_to_do() -> None:
    refusal = choose_runtime(PACKAGED[ServiceName("keyvalue-runner")], facts())
    assert isinstance(refusal, Refusal)
    assert "neither build/binaries/keyvalue-runner nor keyvalue-runner on PATH" in refusal.reason
    assert "--without keyvalue-runner" in refusal.hint


def test_a_container_is_taken_where_podman_works() -> None:
    choice = choose_runtime(REDIS, facts(containers=WORKING, programs=("redis-server",)))
    assert choice == RuntimeChoice(
        Runtime.CONTAINER, "redis:7-alpine", "Podman works and has the image"
    )


def test_without_podman_the_program_on_this_machine_is_taken_and_the_reason_says_why() -> None:
    choice = choose_runtime(REDIS, facts(programs=("redis-server",)))
    assert choice == RuntimeChoice(
        Runtime.NATIVE, "/usr/bin/redis-server", "Podman is not installed"
    )


@pytest.mark.parametrize(
    ("system", "command"),
    [("linux", "`apt-get install redis-server`"), ("darwin", "`brew install redis`")],
)
def test_with_neither_the_refusal_says_what_to_install(system: str, command: str) -> None:
    refusal = choose_runtime(REDIS, facts(system=system))
    assert isinstance(refusal, Refusal)
    assert refusal.reason == (
        "redis needs `redis-server`, which is not installed, and Podman is not installed"
    )
    assert command in refusal.hint


def test_native_is_taken_when_asked_for_although_podman_works() -> None:
    machine = facts(containers=WORKING, programs=("redis-server",))
    choice = choose_runtime(REDIS, machine, preferred=Runtime.NATIVE)
    assert isinstance(choice, RuntimeChoice)
    assert (choice.runtime, choice.reason) == (Runtime.NATIVE, "asked for")


def test_where_podman_does_not_work_what_mends_it_comes_before_what_goes_without_it() -> None:
    broken = no_containers("Podman does not work here: no machine", "podman machine start")
    mine = replace(REDIS, container="localhost/mine:1")
    refusal = choose_runtime(mine, facts(containers=broken), preferred=Runtime.CONTAINER)
    assert isinstance(refusal, Refusal)
    assert refusal.hint == ("podman machine start\n`--runtime native` runs `redis-server` instead")


def test_a_container_that_is_asked_for_is_refused_without_podman() -> None:
    refusal = choose_runtime(REDIS, facts(programs=("redis-server",)), preferred=Runtime.CONTAINER)
    assert isinstance(refusal, Refusal)
    assert "redis needs a container (redis:7-alpine): Podman is not installed" in refusal.reason
    assert "--runtime native" in refusal.hint


@pytest.mark.parametrize("preferred", [None, Runtime.NATIVE])
def test_an_image_put_in_place_of_the_one_that_ships_is_refused_with_the_way_back(
    preferred: Runtime | None,
) -> None:
    kafka = ServiceDefinition(name=ServiceName("kafka"), container="bitnami/kafka:3.6")

    refusal = choose_runtime(kafka, facts(), preferred=preferred)

    assert isinstance(refusal, Refusal)
    assert "take `container: bitnami/kafka:3.6` of kafka out of the catalog" in refusal.hint
    assert KAFKA.container in refusal.hint
    assert "kafka-server-start.sh" in refusal.hint


def test_what_has_only_an_image_is_refused_natively_with_the_reason_of_that() -> None:
    boxed = ServiceDefinition(name=ServiceName("boxed"), container="example.org/boxed:1")
    refusal = choose_runtime(boxed, facts(), preferred=Runtime.NATIVE)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "boxed has no command, so it cannot run natively"
    assert "give boxed a `command`" in refusal.hint
    # Where its container runs, it has nothing else to offer.
    choice = choose_runtime(boxed, facts(containers=WORKING), preferred=Runtime.NATIVE)
    assert isinstance(choice, RuntimeChoice)
    assert choice.runtime is Runtime.CONTAINER


def test_an_image_that_is_built_here_is_told_with_the_command_that_builds_it() -> None:
    local = ServiceDefinition(name=ServiceName("web"), container="localhost/shop-web:latest")
    refusal = choose_runtime(local, facts())
    assert isinstance(refusal, Refusal)
    assert "`podman build -t localhost/shop-web:latest .`" in refusal.hint


@pytest.mark.parametrize(
    ("is_file", "what", "hint"),
    [
        (False, "which is not there", "build it, or correct `command`"),
        (True, "which is not executable", "`chmod +x /p/server`, or correct `command`"),
    ],
)
def test_a_program_at_a_path_is_not_called_uninstalled(
    what: str, hint: str, *, is_file: bool
) -> None:
    api = ServiceDefinition(name=ServiceName("api"), command=("/p/server", "--port"))
    refusal = choose_runtime(api, replace(facts(), is_file=lambda _: is_file))
    assert isinstance(refusal, Refusal)
    assert refusal.reason == f"api needs `/p/server`, {what}"
    assert refusal.hint.startswith(hint)


def test_what_has_only_an_image_cannot_run_without_podman() -> None:
    boxed = ServiceDefinition(name=ServiceName("boxed"), container="example.org/boxed:1")
    refusal = choose_runtime(boxed, facts())
    assert isinstance(refusal, Refusal)
    assert "give boxed a `command`" in refusal.hint


def test_kafka_needs_java_as_well() -> None:
    refusal = choose_runtime(KAFKA, facts(programs=("kafka-server-start.sh",)))
    assert isinstance(refusal, Refusal)
    assert "kafka needs `java`, which is not installed" in refusal.reason
    assert "`apt-get install default-jre-headless`" in refusal.hint


def test_kafka_is_had_from_init() -> None:
    refusal = choose_runtime(KAFKA, facts(programs=("java",)), preferred=Runtime.NATIVE)
    assert isinstance(refusal, Refusal)
    assert refusal.hint.startswith("`prismctl dev init --with kafka`")


def at_version(version: str | None, wanted: str) -> RuntimeChoice | Refusal:
    machine = replace(facts(programs=("redis-server",)), read_version=lambda _: version)
    return choose_runtime(replace(REDIS, program_version=wanted), machine, preferred=Runtime.NATIVE)


@pytest.mark.parametrize("wanted", [">=7", "7", "7.0", ">=6 <8", "!=7.2", ""])
def test_a_program_of_a_version_that_is_wanted_is_taken(wanted: str) -> None:
    assert isinstance(at_version("7.0.15", wanted), RuntimeChoice)


@pytest.mark.parametrize("wanted", [">7", "6", "<7", "!=7.0.15", ">=6, <7"])
def test_a_program_of_another_version_is_refused_with_both(wanted: str) -> None:
    refusal = at_version("7.0.15", wanted)
    assert isinstance(refusal, Refusal)
    assert refusal.reason.startswith(
        f"redis needs `redis-server` {wanted}, and /usr/bin/redis-server is 7.0.15"
    )
    assert "`native.version` of redis" in refusal.hint


def test_a_program_that_does_not_say_its_version_is_taken_and_that_is_said() -> None:
    choice = at_version("", ">=7")
    assert isinstance(choice, RuntimeChoice)
    assert choice.reason == "asked for; `redis-server` does not say its version, >=7 is wanted"


def test_a_program_that_was_not_asked_its_version_is_taken_and_that_is_said() -> None:
    choice = at_version(None, ">=7")
    assert isinstance(choice, RuntimeChoice)
    assert (
        choice.reason == "asked for; `redis-server` is asked its version by a start, >=7 is wanted"
    )


def test_a_runtime_in_the_catalog_leaves_no_choice() -> None:
    native = replace(REDIS, runtime=Runtime.NATIVE)
    machine = facts(containers=WORKING, programs=("redis-server",))
    choice = choose_runtime(native, machine, preferred=Runtime.CONTAINER)
    assert isinstance(choice, RuntimeChoice)
    assert choice.runtime is Runtime.NATIVE


def test_a_missing_path_is_not_something_to_install() -> None:
    worker = ServiceDefinition(name=ServiceName("worker"), command=("/srv/bin/worker",))
    refusal = choose_runtime(worker, facts())
    assert isinstance(refusal, Refusal)
    assert refusal.hint == "build it, or correct `command` of worker in the catalog"


def test_nomad_is_the_default_where_both_tools_are() -> None:
    choice = choose_engine("auto", facts(tools=("nomad", "consul")))
    assert choice == EngineChoice(EngineName.NOMAD, "Nomad and Consul are installed")


def test_the_local_engine_says_how_to_get_nomad() -> None:
    choice = choose_engine("auto", facts(tools=("nomad",)))
    assert isinstance(choice, EngineChoice)
    assert choice.engine is EngineName.LOCAL
    assert choice.reason == (
        "Consul is not installed; `prismctl dev init` installs what Nomad needs"
    )


def test_nomad_by_name_is_refused_without_its_tools() -> None:
    refusal = choose_engine("nomad", facts())
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "Nomad and Consul are not installed"
    assert "prismctl dev init" in refusal.hint


def test_the_local_engine_can_be_asked_for() -> None:
    choice = choose_engine("local", facts(tools=("nomad", "consul")))
    assert choice == EngineChoice(EngineName.LOCAL, "asked for")
