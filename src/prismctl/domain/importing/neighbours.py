"""How the services of one file reach each other: addresses become references, and what is referred to is waited for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.domain.dependencies import close_over
from prismctl.domain.importing.draft import DraftPort
from prismctl.domain.importing.images import guess_port
from prismctl.domain.importing.references import Finder, Mention, host_keys_of_port
from prismctl.domain.importing.secret_names import is_secret as is_secret_name
from prismctl.domain.plan import EVERYWHERE
from prismctl.domain.shape import LARGEST_PORT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.domain.importing.draft import Draft
    from prismctl.domain.importing.reading import Reading
    from prismctl.domain.problems import Place

_LISTENS: Final = re.compile(r"LISTEN|BIND", re.IGNORECASE)
_ADVERTISES: Final = re.compile(r"ADVERT", re.IGNORECASE)
_LONGEST_PORT: Final = 5


class _Text(NamedTuple):
    """One text of a draft that may hold addresses."""

    subject: str
    key: str
    """Of the variable, for a value; empty otherwise."""
    value: str
    place: Place


def connect(reading: Reading, drafts: dict[str, Draft]) -> None:
    """Write references for the addresses in variables, arguments and checks.

    A port that somebody is reached at becomes a port of the service, also where the file does not publish it.
    """
    neighbours = _Neighbours(reading, drafts)
    for name in drafts:
        neighbours.give_ports(name)
    for name in drafts:
        neighbours.write_references(name)


def _texts(draft: Draft) -> list[_Text]:
    texts = [
        _Text(f"environment {key}", key, value, draft.env_places.get(key, draft.place))
        for key, value in draft.env.items()
    ]
    texts += [_Text("command", "", value, draft.args_place) for value in draft.args or ()]
    check = draft.health_check.get("command", ())
    return [*texts, *(_Text("healthcheck", "", value, draft.check_place) for value in check)]


def _is_port(value: str) -> bool:
    return value.isdecimal() and len(value) <= _LONGEST_PORT


class _Neighbours:
    """The services of a file, and the words that they know each other by."""

    def __init__(self, reading: Reading, drafts: dict[str, Draft]) -> None:
        self.reading = reading
        self.drafts = drafts
        self.owners: dict[str, str] = {}
        for name, draft in drafts.items():
            for word in (name, *draft.aliases):
                self.owners.setdefault(word, name)
        self.finder = Finder(tuple(self.owners))
        self.needs = {name: list(draft.depends_on) for name, draft in drafts.items()}
        """Who waits for whom, kept up with what is added."""

    def give_ports(self, name: str) -> None:
        """Give the others the ports that a service reaches them at."""

        def note(mention: Mention) -> None:
            owner = self.owners[mention.word]
            if owner == name:
                return
            number = mention.number
            if number is None and not self.drafts[owner].ports:
                number = guess_port(self.drafts[owner].container)
            if number is not None:
                self._add_port(owner, number, name)

        env = self.drafts[name].env
        for key, value in env.items():
            owner = self._find_host_beside(name, key, env)
            if owner is not None and _is_port(value):
                self._add_port(owner, int(value), name)
        for text in _texts(self.drafts[name]):
            self.finder.rewrite(text.value, note, key=text.key)

    def _find_host_beside(self, name: str, key: str, env: Mapping[str, str]) -> str | None:
        """The service whose name is in the variable beside one that holds a port."""
        for host_key in host_keys_of_port(key):
            owner = self.owners.get(env.get(host_key, ""))
            if owner is not None and owner != name:
                return owner
        return None

    def _add_port(self, owner: str, number: int, name: str) -> None:
        draft = self.drafts[owner]
        is_known = any(port.number == number for port in draft.ports)
        if 0 < number <= LARGEST_PORT and not is_known:
            draft.add_port(DraftPort(number))
            words = f"{name} reaches it at {number}: that is a port of it now"
            self.reading.proposed(draft.place, owner, "ports", words)

    def write_references(self, name: str) -> None:
        """Replace what stands for addresses in one service."""
        draft = self.drafts[name]
        original = dict(draft.env)
        for text in _texts(draft):
            if text.key:
                draft.env[text.key] = self._rewrite(name, text)
        for key in original:
            self._write_port(name, key, original)
        for words, subject, place in (
            (draft.args, "command", draft.args_place),
            (draft.health_check.get("command"), "healthcheck", draft.check_place),
        ):
            if words:
                words[:] = [self._rewrite(name, _Text(subject, "", word, place)) for word in words]

    def _rewrite(self, name: str, text: _Text) -> str:
        rewritten = self.finder.rewrite(
            text.value, lambda mention: self._refer(name, mention, text.key), key=text.key
        )
        if rewritten != text.value:
            self._tell(name, text, rewritten)
        return rewritten

    def _tell(self, name: str, text: _Text, after: str) -> None:
        is_secret = is_secret_name(text.key) or "@" in text.value
        words = "is written with a reference" if is_secret else f"`{text.value}` is `{after}`"
        self.reading.proposed(text.place, name, text.subject, words)

    def _write_port(self, name: str, key: str, env: Mapping[str, str]) -> None:
        """The port in a variable beside the one that holds the host."""
        value, draft = env[key], self.drafts[name]
        owner = self._find_host_beside(name, key, env)
        if owner is None or not _is_port(value):
            return
        reference = self._port_reference(owner, int(value))
        if reference is not None:
            draft.env[key] = reference
            place = draft.env_places.get(key, draft.place)
            self._tell(name, _Text(f"environment {key}", key, value, place), reference)

    def _refer(self, name: str, mention: Mention, key: str) -> str | None:
        owner = self.owners[mention.word]
        if owner == name:
            is_listening = _LISTENS.search(key) and not _ADVERTISES.search(key)
            host = EVERYWHERE if is_listening else "localhost"
            has_port = mention.number is not None and not mention.is_implied
            return f"{host}:{mention.number}" if has_port else host
        host = f"${{{self.drafts[owner].name}.host}}"
        port = None if mention.number is None else self._port_reference(owner, mention.number)
        if port is None and mention.number is not None and not mention.is_implied:
            return None
        self._wait_for(name, owner)
        return host if port is None else f"{host}:{port}"

    def _port_reference(self, owner: str, number: int) -> str | None:
        draft = self.drafts[owner]
        for index, port in enumerate(draft.ports):
            if port.number == number:
                rest = "port" if index == 0 else f"ports.{draft.port_name(index)}"
                return f"${{{draft.name}.{rest}}}"
        return None

    def _wait_for(self, name: str, owner: str) -> None:
        """Depend on a service that is referred to, unless that one waits already: one of them has to begin alone."""
        if owner not in self.needs[name] and name not in close_over([owner], self.needs):
            self.needs[name].append(owner)
            self.drafts[name].depends_on[owner] = self.drafts[name].place
        if owner in self.drafts[name].optional:
            self.drafts[name].optional.discard(owner)
            words = f"{owner} is needed, because its address is; `required: false` is left out"
            place = self.drafts[name].depends_on[owner]
            self.reading.left_out_at(place, name, "depends_on", words)
