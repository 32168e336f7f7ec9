"""What a plan has to know about containers: which program runs them here, which images it has, which could be had."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.domain.containers import (
    DOCKER,
    PODMAN,
    ContainerFacts,
    ContainerTool,
    ImageFacts,
    no_containers,
    parse_image_name,
)
from prismctl.errors import PrismError
from prismctl.install.containers.configuration import podman_environment
from prismctl.install.containers.mirrors import is_redirected
from prismctl.install.containers.proof import recall_containers, recall_failure
from prismctl.machine import find_program, find_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prismctl.files.paths import Home

ASK_SECONDS: Final = 10.0
"""How long Podman or Docker may take to list what it has; they need hundredths of one."""
REGISTRY_SECONDS: Final = 2.0
"""How long a registry may take to answer at all."""
FAILURE_HOLDS_SECONDS: Final = 600.0
"""How long a Podman that could not run a container is not tried again: each try takes seconds, and somebody may mend it."""
_REGISTRY_HOSTS: Final = {"docker.io": "registry-1.docker.io"}
_NOT_ALLOWED: Final = (
    "this user may not talk to its daemon; `sudo usermod -aG docker USER` and a new login let it"
)
_LOCAL: Final = "localhost"
"""Where Podman puts images that were built here under a short name."""


_VARIABLES: Final = frozenset(
    {
        "DBUS_SESSION_BUS_ADDRESS",
        "REGISTRY_AUTH_FILE",
        "STORAGE_DRIVER",
        "STORAGE_OPTS",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_RUNTIME_DIR",
    }
)
_SYSTEM_PLACES: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_VARIABLE_FAMILIES: Final = ("CONTAINERS_", "CONTAINER_", "DOCKER_", "PODMAN_")


class BrokenError(PrismError):
    """The program is there and does not run containers."""


def find_containers(
    home: Home,
    environment: Mapping[str, str],
    *,
    kind: str = "",
    may_try: bool = True,
    insists: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> ContainerFacts:
    """Whether containers can be run for a home: with Podman, or with Docker where Podman cannot.

    Args:
        home: whose settings Podman is run with.
        environment: of the one who asks.
        kind: `PODMAN` or `DOCKER`, where only that one will do.
        may_try: whether a Podman that nobody has tried yet may be tried now, which writes its settings into home.
        insists: nothing else will do: what has failed a moment ago is tried again.
        tell: hears of a try, because it takes some seconds.
    """
    podman = find_tool(PODMAN, home.tools, environment) if kind != DOCKER else None
    obstacle, fix = "Podman is not installed", ""
    if podman is not None:
        try:
            program = Path(podman.path)
            if not insists:
                _recall_obstacle(home, program)
            if may_try and recall_containers(home, program) is None:
                tell("trying how containers run here, which takes some seconds")
                _try_podman(home, environment)
            return _look_at_podman(home, program, environment)
        except PrismError as error:
            obstacle, fix = f"Podman does not work here: {error.message}", error.hint
    docker = find_program(DOCKER, environment) if kind != PODMAN else ""
    if not docker:
        return no_containers("Docker is not installed" if kind == DOCKER else obstacle, fix)
    tool = ContainerTool(kind=DOCKER, program=docker, environment=choose_variables(environment))
    try:
        return _with_images(tool, environment)
    except PrismError as error:
        broken = f"Docker does not work here: {error.message}"
        return no_containers(broken if kind == DOCKER else f"{obstacle}, and {broken}", fix)


def check_registry(host: str) -> str:
    """Why nothing could be pulled from a registry; empty when it answers, whatever it says."""
    import http.client
    import ssl
    import urllib.error
    import urllib.request

    address = f"https://{_REGISTRY_HOSTS.get(host, host)}/v2/"
    try:
        with urllib.request.urlopen(address, timeout=REGISTRY_SECONDS):
            return ""
    except urllib.error.HTTPError:
        return ""
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        # Somebody is there who speaks otherwise; what that means is the client's affair.
        if isinstance(reason, ssl.SSLError | http.client.HTTPException):
            return ""
        return f"{host} does not answer ({_describe(reason)})"


def _recall_obstacle(home: Home, program: Path) -> None:
    """Do not try again what has just failed.

    Raises:
        BrokenError: in the words of then.
    """
    failure = recall_failure(home, program)
    if failure is None or not 0 <= time.time() - failure.at < FAILURE_HOLDS_SECONDS:
        return
    # The plan keeps these words, so they do not say how long ago.
    when = time.strftime("%H:%M", time.localtime(failure.at))
    raise BrokenError(
        f"{failure.words} (tried at {when}; `prismctl dev init` tries again)", hint=failure.fix
    )


def _try_podman(home: Home, environment: Mapping[str, str]) -> None:
    from prismctl.install.podman import ensure_podman_works

    complete = {**environment, **choose_variables(environment)}
    asyncio.run(ensure_podman_works(home, complete, lambda _: None, needs_network=True))


def _look_at_podman(home: Home, program: Path, environment: Mapping[str, str]) -> ContainerFacts:
    variables = {**choose_variables(environment), **podman_environment(home)}
    tool = ContainerTool(kind=PODMAN, program=str(program), environment=variables)
    return _with_images(tool, environment)


def _with_images(tool: ContainerTool, environment: Mapping[str, str]) -> ContainerFacts:
    present = _list_images(tool, environment)

    @cache
    def ask_registry(host: str) -> str:
        # Podman says it in files. Docker has to be asked, and only where there is something to excuse.
        if tool.kind == PODMAN and is_redirected(host, tool, environment):
            return ""
        obstacle = check_registry(host)
        is_excused = obstacle and tool.kind != PODMAN and is_redirected(host, tool, environment)
        return "" if is_excused else obstacle

    return ContainerFacts(
        tool=tool, reason="", find_image=lambda image: judge_image(image, present, ask_registry)
    )


def judge_image(
    image: str, present: frozenset[str], ask_registry: Callable[[str], str]
) -> ImageFacts:
    """Whether an image is here, or could be pulled.

    Args:
        image: as the catalog names it.
        present: full names of the images that are here.
        ask_registry: why a registry would not give anything; empty when it answers.
    """
    name = parse_image_name(image)
    short = name.repository.removeprefix("library/")
    if {str(name), f"{_LOCAL}/{short}{name.reference}"} & present:
        return ImageFacts(is_here=True, can_be_had=True)
    if name.registry == _LOCAL:
        return ImageFacts(False, False, f"there is no image {image} on this machine")
    obstacle = ask_registry(name.registry)
    if obstacle:
        reason = f"the image {image} is not here, and {obstacle}"
        return ImageFacts(is_here=False, can_be_had=False, reason=reason)
    return ImageFacts(is_here=False, can_be_had=True)


def choose_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment by which clients find their storage, sockets and logins, and what they run themselves."""
    found = {
        name: text
        for name, text in sorted(environment.items())
        if name in _VARIABLES or name.startswith(_VARIABLE_FAMILIES)
    }
    places = environment.get("PATH", os.defpath).split(os.pathsep)
    # Podman's network looks for `iptables` on PATH, and that of most people lacks where it is.
    places += [place for place in _SYSTEM_PLACES if place not in places]
    return {**found, "PATH": os.pathsep.join(places)}


def _list_images(tool: ContainerTool, environment: Mapping[str, str]) -> frozenset[str]:
    """The full names of all images, by tag and by digest.

    Raises:
        BrokenError: it cannot list them.
    """
    template = '{"name":"{{.Repository}}","tag":"{{.Tag}}","digest":"{{.Digest}}"}'
    try:
        done = subprocess.run(
            (tool.program, "images", "--digests", "--format", template),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**environment, **tool.environment, "LC_ALL": "C"},
            cwd="/",
            timeout=ASK_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BrokenError(f"it did not list its images within {ASK_SECONDS:g} s") from None
    except OSError as error:
        raise BrokenError(f"{tool.program}: {error.strerror}") from error
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        if tool.kind == DOCKER and "permission denied" in "".join(lines).lower():
            raise BrokenError(_NOT_ALLOWED)
        raise BrokenError(lines[-1].removeprefix("Error: ") if lines else "it does not say why")
    found = set()
    for line in done.stdout.decode(errors="replace").splitlines():
        image = json.loads(line)
        found.add(str(parse_image_name(f"{image['name']}:{image['tag']}")))
        found.add(str(parse_image_name(f"{image['name']}@{image['digest']}")))
    return frozenset(found)


def _describe(reason: object) -> str:
    if isinstance(reason, TimeoutError):
        return f"nothing within {REGISTRY_SECONDS:g} s"
    text = getattr(reason, "strerror", "") or str(reason)
    return text.lower()
