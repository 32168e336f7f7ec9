"""Replaces ``${…}`` in what the catalog says, once, when the plan is made.

    ${self.port} ${self.ports.NAME} ${self.host} ${self.data}     the service's own
    ${NAME.host} ${NAME.port} ${NAME.ports.PORT}                  another service's
    ${self.password} ${NAME.password}                             made for the stack; only where nobody else can read it
    ${stack.name} ${stack.patterns}                               the stack's
    ${VARIABLE}                                                   the environment's
    ${…:-text}                                                    text, where that is unknown or empty
    $${                                                           a literal ${

Nothing else is special: a lone ``$`` is a dollar, and what was put in is not looked at again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.domain.problems import nearest_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

MARK: Final = "${"

STACK_REFERENCES: Final = ("name", "patterns")
"""What can follow ``stack.``."""

_PASSWORD: Final = "password"  # noqa: S105 - what is written after the dot
_REFERENCE: Final = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_OWN: Final = re.compile(r"\$\$\{|\$\{(self\.(?:port|ports\.[^{}:]+|data))\}")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Addresses(NamedTuple):
    """Where a service is to be found."""

    host: str
    ports: Mapping[str, int]
    """By name, in the catalog's order; the first is the main one."""


class Surroundings(NamedTuple):
    """Everything a reference can mean."""

    service: str
    """The service whose text it is."""
    data: str
    """Its data directory."""
    services: Mapping[str, Addresses]
    """Every service of the stack by its full name, itself included."""
    full_name: Callable[[str], str]
    """The name a word stands for."""
    known_services: Collection[str]
    """Every service of the catalog: a reference to one that is not in the stack is another mistake."""
    stack: Mapping[str, str]
    """What follows ``stack.``, by `STACK_REFERENCES`."""
    variables: Mapping[str, str] | None
    """``None``: nobody has started anything yet, and every variable may have a value."""
    passwords: Callable[[str], str | None] | None = None
    """The password of a service by its full name, ``None`` for one that takes none; without this, the text is
    one that others can read."""


class Mistake(NamedTuple):
    """A reference that means nothing."""

    message: str
    suggestion: str = ""
    service: str = ""
    """The service that was found and whose address was not."""
    hint: str = ""
    """What to do or write, where more than another name helps."""


NO_MISTAKE: Final = Mistake("")


def interpolate(
    text: str, surroundings: Surroundings, mistakes: list[Mistake], *, keeps_own: bool = False
) -> str:
    """The text with its references replaced; those that mean nothing stay, and are added to the mistakes.

    With ``keeps_own`` the result is a template for `fill_own`: references to the service's own ports and data
    stay, and whatever else has come to look like a reference is escaped.
    """
    if MARK not in text:
        return text
    mark = f"${MARK}" if keeps_own else MARK

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return mark
        if match[1] is None:
            mistakes.append(Mistake(f"`{match[0]}` is not closed; `$${{` writes a literal `${{`"))
            return mark
        reference, has_default, default = match[1].partition(":-")
        value, mistake = _look_up(reference, surroundings)
        if has_default:
            value = value or default
        elif value is None:
            mistakes.append(mistake)
            return f"{mark}{match[1]}}}"
        elif keeps_own and _OWN.fullmatch(match[0]):
            return match[0]
        return value.replace(MARK, mark) if keeps_own else value

    return _REFERENCE.sub(replace, text)


def find_services(text: str) -> list[str]:
    """The services whose addresses are asked for, by the words that the text has for them; ``self`` among them."""
    asked = (match[1].partition(":-")[0] for match in _REFERENCE.finditer(text) if match[1])
    names = (each.partition(".") for each in asked)
    return [name for name, dot, _ in names if dot and name != "stack"]


def holds_password(text: str) -> bool:
    """Whether a password is asked for in the text, so that nobody may be shown what it becomes."""
    asked = (match[1].partition(":-")[0] for match in _REFERENCE.finditer(text) if match[1])
    return MARK in text and any(each.endswith(f".{_PASSWORD}") for each in asked)


def takes_password(texts: Iterable[str]) -> bool:
    """Whether a service whose ``env`` these are is given a password of its own."""
    return any(
        match[1] is not None and match[1].partition(":-")[0] == f"self.{_PASSWORD}"
        for text in texts
        for match in _REFERENCE.finditer(text)
    )


def has_own_references(text: str) -> bool:
    """Whether the text is another one for another instance of the service."""
    return any(match[1] for match in _OWN.finditer(text)) if MARK in text else False


def fill_own(template: str, *, ports: Mapping[str, int], data: str) -> str:
    """A template with the ports and the data directory of one instance put in."""

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return MARK
        reference = match[1]
        if reference == "self.data":
            return data
        if reference == "self.port":
            return str(next(iter(ports.values())))
        return str(ports[reference.removeprefix("self.ports.")])

    return _OWN.sub(replace, template) if MARK in template else template


def _look_up(reference: str, around: Surroundings) -> tuple[str | None, Mistake]:
    head, dot, rest = reference.partition(".")
    if not dot:
        return _look_up_variable(reference, around.variables)
    if head == "stack":
        names = [f"stack.{name}" for name in around.stack]
        return around.stack.get(rest), Mistake(
            f"unknown reference `{reference}`", nearest_name(reference, names)
        )
    if reference == "self.data":
        return around.data, NO_MISTAKE
    name = around.service if head == "self" else around.full_name(head)
    if name in around.services:
        if rest == _PASSWORD:
            value, mistake = _look_up_password(reference, name, around)
        else:
            value, mistake = _look_up_address(reference, head, rest, around.services[name])
        return value, mistake._replace(service=name)
    if name in around.known_services:
        return None, Mistake(
            f"`${{{reference}}}` needs {name}, which is not in this stack; add it to depends_on",
            service=name,
        )
    return None, Mistake(
        f"unknown service `{head}` in `${{{reference}}}`",
        nearest_name(head, around.known_services),
    )


def _look_up_variable(name: str, variables: Mapping[str, str] | None) -> tuple[str | None, Mistake]:
    if not _VARIABLE.fullmatch(name):
        return None, Mistake(f"`${{{name}}}` names nothing; write a variable or SERVICE.port")
    if variables is None:
        return "", NO_MISTAKE
    return variables.get(name), Mistake(
        f"variable `{name}` is not set",
        # Comparing with a whole environment is worth its time only for a name that is missing.
        "" if name in variables else nearest_name(name, variables),
        hint=f"`export {name}=…` before the start, or `${{{name}:-text}}` in the file, gives it a value",
    )


def _look_up_password(
    reference: str, name: str, around: Surroundings
) -> tuple[str | None, Mistake]:
    if around.passwords is None:
        return None, Mistake(
            f"`${{{reference}}}` could be read by others here; write it in `env`, or as the health check's `password`"
        )
    return around.passwords(name), Mistake(
        f"`${{{reference}}}`: {name} takes no password; `${{self.password}}` in its `env` gives it one"
    )


def _look_up_address(
    reference: str, head: str, rest: str, addresses: Addresses
) -> tuple[str | None, Mistake]:
    if rest == "host":
        return addresses.host, NO_MISTAKE
    if rest == "port" and addresses.ports:
        return str(next(iter(addresses.ports.values()))), NO_MISTAKE
    port_name = rest.removeprefix("ports.")
    if port_name != rest and port_name in addresses.ports:
        return str(addresses.ports[port_name]), NO_MISTAKE
    if not addresses.ports and (rest == "port" or port_name != rest):
        return None, Mistake(f"`${{{reference}}}`: the service has no port")
    known = [f"{head}.{each}" for each in ("host", "port")]
    known += [f"{head}.ports.{each}" for each in addresses.ports]
    if head == "self":
        known += ["self.data", f"self.{_PASSWORD}"]
    return None, Mistake(f"unknown reference `{reference}`", nearest_name(reference, known))
