"""The names of the dashboard's themes, known before what paints them is loaded."""

from __future__ import annotations

from typing import Final

from prismctl.domain.problems import nearest_name
from prismctl.errors import ConfigError, Problem

TERMINAL: Final = "terminal"
"""The terminal's own colours: the theme that holds where none is named."""
COLOURLESS: Final = "none"
THEME_NAMES: Final = (TERMINAL, "dark", "light", "contrast", COLOURLESS)


def check_theme(name: str) -> None:
    """Refuse what is no theme.

    Raises:
        ConfigError: there is none of that name.
    """
    if name and name not in THEME_NAMES:
        problem = Problem(
            message=f"theme: there is no `{name}`", suggestion=nearest_name(name, THEME_NAMES)
        )
        raise ConfigError((problem,), hint=f"there is: {', '.join(THEME_NAMES)}")
