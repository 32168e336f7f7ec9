"""Settings in few words."""

from __future__ import annotations

from prismctl.domain.precedence import Setting
from prismctl.domain.problems import Place
from prismctl.present.settings import difference_words


def test_each_difference_has_its_file_and_line_or_who_said_it() -> None:
    settings = [
        Setting(
            key="redis.memory_mb",
            value=64,
            source="profile team",
            place=Place("~/.prism/profiles/team.yaml", 7, 5),
        ),
        Setting(key="redis.runtime", value="native", source="--runtime"),
        Setting(key="redis.env.A\x1b[1m", value="b", source="x", place=Place("services.yaml")),
    ]
    assert difference_words(settings) == (
        "memory_mb 64 (team.yaml:7) · runtime native (--runtime) · env.A b (services.yaml)"
    )


def test_no_difference_has_no_words() -> None:
    assert difference_words([]) == ""
