"""What a service depends on as people write it: names, or names with what is needed of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.compose_words import COMPOSE_CONDITIONS
from prismctl.domain.needs import PLAIN_NEED, Condition, Need
from prismctl.domain.shape import INVALID, Fields, Flag, Key, ListOf, OneOf, Text

if TYPE_CHECKING:
    from prismctl.domain.document import Path, Report

NEED: Final = Fields(
    {
        "condition": Key(
            OneOf("condition", tuple(Condition), COMPOSE_CONDITIONS),
            "`started` does not wait until it is healthy; `completed` waits for the end of a one-shot (healthy)",
        ),
        "required": Key(
            Flag(),
            "false: brings nothing along, and is waited for only where it is in the stack and can be had (true)",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Dependencies:
    """A name, a list of names, or a mapping of names to what is needed of them."""

    names: ListOf = field(default_factory=lambda: ListOf(Text(), is_single_allowed=True))

    def read(self, value: object, path: Path, report: Report) -> Any:
        """A dict of `Need` by the name as written."""
        if not isinstance(value, dict):
            words = self.names.read(value, path, report)
            return INVALID if words is INVALID else dict.fromkeys(words, PLAIN_NEED)
        needs: dict[str, Need] = {}
        for word, written in value.items():
            name = Text().read(word, (*path, word), report)
            given = NEED.read({} if written is None else written, (*path, word), report)
            if name is not INVALID and given is not INVALID:
                condition = Condition(given.get("condition", PLAIN_NEED.condition))
                needs[name] = Need(condition, given.get("required", PLAIN_NEED.is_required))
        return needs

    def schema(self) -> dict[str, Any]:
        """Any of the three."""
        need = {"anyOf": [NEED.schema(), {"type": "null"}]}
        return {
            "anyOf": [
                *self.names.schema()["anyOf"],
                {"type": "object", "additionalProperties": need},
            ]
        }
