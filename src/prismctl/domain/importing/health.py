"""The health check of a compose file, asked the catalog's way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.importing.amounts import parse_go_duration, write_duration

if TYPE_CHECKING:
    from collections.abc import Callable

_DURATIONS: Final = ("interval", "timeout", "start_period")
_LONGEST_SECONDS: Final = 24 * 3600.0
_IGNORED: Final = {
    "retries": "how many answers decide cannot be set",
    "start_interval": "a service that starts is asked every 50 ms",
}


def translate_check(
    form: dict[str, Any],
    *,
    text: Callable[[object, str | int], str],
    problem: Callable[[str, str], None],
    changed: Callable[[str, str], None],
) -> dict[str, Any]:
    """The ``health_check`` of an entry; empty where the file has none or turns it off.

    Args:
        form: the ``healthcheck`` of a service.
        text: writes a scalar of the form, at a key or at an index of its ``test``, with variables translated.
        problem: takes what compose itself would refuse, by key.
        changed: takes what is worth knowing, by key.
    """
    command = _read_test(form, text=text, problem=problem)
    durations: dict[str, Any] = {}
    for key in _DURATIONS:
        if form.get(key) is None:
            continue
        seconds = parse_go_duration(text(form[key], key))
        if seconds is None or seconds > _LONGEST_SECONDS:
            problem(key, f"`{form[key]}` is no duration; write `10s` or `1m30s`")
        elif seconds > 0 or key == "start_period":
            durations[key] = write_duration(seconds)
    if form.get("disable") is True or command is None:
        if "test" in form or form.get("disable") is True:
            changed("test", "is turned off; a service with a port is asked whether it accepts")
        return {}
    for key, why in _IGNORED.items():
        if key in form:
            changed(key, f"has no counterpart: {why}")
    return {"type": "exec", "command": command, **durations}


def _read_test(
    form: dict[str, Any],
    *,
    text: Callable[[object, str | int], str],
    problem: Callable[[str, str], None],
) -> list[str] | None:
    test = form.get("test")
    if isinstance(test, list) and test:
        words = [text(each, index) for index, each in enumerate(test)]
        if words[0] == "NONE":
            return None
        if words[0] == "CMD" and len(words) > 1:
            return words[1:]
        if words[0] == "CMD-SHELL" and len(words) == 2:  # noqa: PLR2004 - the word and the script
            return ["/bin/sh", "-c", words[1]]
        problem("test", "a list begins with `CMD`, `CMD-SHELL` or `NONE`")
        return None
    if isinstance(test, str) and test.strip():
        return ["/bin/sh", "-c", text(test, "test")]
    if test is not None:
        problem("test", "is neither a text nor a list of words")
    return None
