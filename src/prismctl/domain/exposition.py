"""The text format of Prometheus: samples read from a page, and lines written for one."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_LABEL: Final = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(,|$)')
_ESCAPE: Final = re.compile(r"\\(.)")
_ESCAPED: Final = {"n": "\n"}
_UNSAFE: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Sample(NamedTuple):
    """One number of a page."""

    name: str
    labels: Mapping[str, str]
    value: float


def parse_samples(page: str, names: Collection[str]) -> Iterator[Sample]:
    """The samples of these names; whatever else stands on the page is passed over.

    Raises:
        ValueError: a line of one of these names is not in the format.
    """
    beginnings = tuple(names)
    for line in page.split("\n"):
        if not line.startswith(beginnings):
            continue
        name, labels, rest = _split_line(line)
        if name in names:
            yield Sample(
                name,
                _parse_labels(labels),
                float(rest.split(maxsplit=1)[0] if rest.strip() else ""),
            )


def _split_line(line: str) -> tuple[str, str, str]:
    """Name, what stands between the braces, and what follows: a value may not contain braces, a label may."""
    head, brace, tail = line.partition("{")
    if not brace:
        name, *values = line.split(maxsplit=1)
        return name, "", "".join(values)
    labels, _, rest = tail.rpartition("}")
    return head.rstrip(), labels, rest


def _parse_labels(text: str) -> dict[str, str]:
    labels = {}
    offset = 0
    while text[offset:].strip():
        match = _LABEL.match(text, offset)
        if match is None:
            raise ValueError(f"not labels: {text}")
        labels[match[1]] = _ESCAPE.sub(_unescape, match[2])
        offset = match.end()
    return labels


def _unescape(match: re.Match[str]) -> str:
    return _ESCAPED.get(match[1], match[1])


def render_family(
    name: str,
    kind: str,
    description: str,
    samples: Iterable[tuple[Mapping[str, str], float | None]],
) -> Iterator[str]:
    """The lines of all samples of one name, each with its line end; what is ``None`` is left out, and so is a name without samples."""
    known = [(labels, value) for labels, value in samples if value is not None]
    if not known:
        return
    escaped = description.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {name} {escaped}\n"
    yield f"# TYPE {name} {kind}\n"
    for labels, value in known:
        pairs = ",".join(f'{key}="{text.translate(_UNSAFE)}"' for key, text in labels.items())
        yield f"{name}{{{pairs}}} {_render_number(value)}\n"


def _render_number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(value)
