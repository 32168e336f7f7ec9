"""Whose engine comes up while somebody chooses, as far as settings have a say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest

from prismctl.cli.engine_guess import engine_to_warm, guess_engine
from prismctl.cli.start_options import StartOptions

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.cli.invocation import Invocation
    from prismctl.files.paths import Home


@dataclass
class Call:
    """The part of a call that a guess is made from."""

    home: Home


@pytest.fixture
def call(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Somebody who has Nomad and Consul."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("nomad", "consul"):
        (tools / name).write_text("#!/bin/sh\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PRISM_TOOLS_DIR", str(tools))
    home.directory.mkdir(parents=True, exist_ok=True)
    return cast("Invocation", Call(home))


@pytest.mark.parametrize(
    ("settings", "engine", "warm"),
    [
        (None, None, "nomad"),
        ("theme: nord\n", None, "nomad"),
        ("", None, "nomad"),
        ("engine: nomad\n", None, "nomad"),
        ("engine: local\n", None, ""),
        ("engine: local\n", "nomad", "nomad"),
        ("warm: false\n", None, ""),
        ("warm: false\n", "nomad", ""),
        ("warm: true\n", None, "nomad"),
        ("warm: perhaps\n", None, ""),
        (None, "local", ""),
    ],
)
def test_settings_of_something_else_do_not_keep_the_engine_from_coming_up_while_somebody_chooses(
    call: Any, settings: str | None, engine: str | None, warm: str
) -> None:
    if settings is not None:
        call.home.settings.write_text(settings)

    assert engine_to_warm(call, StartOptions(engine=engine)) == warm


def test_a_start_without_a_choice_brings_the_engine_up_whatever_is_said_about_choices(
    call: Any,
) -> None:
    call.home.settings.write_text("warm: false\n")

    assert guess_engine(call, StartOptions()) == "nomad"
