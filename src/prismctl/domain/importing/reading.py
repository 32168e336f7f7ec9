"""A foreign YAML document while it is translated: its places, its mistakes, and what there is to say about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from prismctl.domain.document import Path, Report
from prismctl.domain.importing.imported import Remark, RemarkKind
from prismctl.domain.importing.secret_names import describe_withheld, find_secrets
from prismctl.domain.importing.variables import DOTENV, TemplateError, evaluate, translate
from prismctl.domain.shape import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prismctl.domain.document import Document
    from prismctl.domain.problems import Place

MOST_CHARACTERS: Final = 1 << 20
"""Of all texts in which variables were put in; a catalog that is longer would not be read."""


class Around(NamedTuple):
    """What a foreign file depends on besides itself."""

    project: str
    """What compose would call the project: the name of the directory."""
    catalog_directory: str
    """Absolute: what paths of the catalog are relative to."""
    variables: Mapping[str, str]
    """What `DOTENV` says."""
    read_text: Callable[[str], str | None]
    """The text of a file by its absolute path; ``None``: there is none."""
    is_shared: bool = False
    """Whether what comes of it is for everybody: secrets of files of variables stay in these then."""


class Reading:
    """The document, and everything that was found in it."""

    def __init__(self, document: Document, around: Around) -> None:
        self.document = document
        self.around = around
        self.report = Report(document)
        self._remarks: dict[Remark, None] = {}
        self.service = ""
        """The one that is being read."""
        self._merged: dict[Path, Path] | None = None
        """Where values stand that `<<` brought, by where they belong."""
        self._characters = 0
        """Of what variables were put into."""

    def problem(self, path: Path, message: str) -> None:
        """Take note of something that the other tool itself would refuse."""
        self.report.subject = self.service
        self.report.problems.add(
            f"{self.service}: {message}" if self.service else message, self.place(path)
        )

    def left_out(self, path: Path, subject: str, message: str) -> None:
        """Take note of something that the entry lacks."""
        self._remark(RemarkKind.LEFT_OUT, path, subject, message)

    def changed(self, path: Path, subject: str, message: str) -> None:
        """Take note of something that is worth knowing."""
        self._remark(RemarkKind.CHANGED, path, subject, message)

    def left_out_at(self, place: Place, service: str, subject: str, message: str) -> None:
        """Take note of something that the entry of a service lacks, once all of them are read."""
        self._tell(RemarkKind.LEFT_OUT, place, service, subject, message)

    def changed_at(self, place: Place, service: str, subject: str, message: str) -> None:
        """Take note of something that is worth knowing, once all services are read."""
        self._tell(RemarkKind.CHANGED, place, service, subject, message)

    def proposed(self, place: Place, service: str, subject: str, message: str) -> None:
        """Take note of a reference that stands for an address."""
        self._tell(RemarkKind.PROPOSED, place, service, subject, message)

    def _remark(self, kind: RemarkKind, path: Path, subject: str, message: str) -> None:
        self._tell(kind, self.place(path), self.service, subject, message)

    def _tell(self, kind: RemarkKind, place: Place, *words: str) -> None:
        service, subject, message = words
        remark = Remark(
            kind=kind,
            service=service,
            subject=subject,
            message=" ".join(message.split()),
            place=place,
        )
        self._remarks.setdefault(remark)

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """Everything there is to say, in the order of the file, each once."""
        return tuple(sorted(self._remarks, key=lambda each: (each.place.line, each.place.column)))

    def place(self, path: Path) -> Place:
        """Where a key or a value stands, also one that was merged from an anchor."""
        found = self._find(path)
        return self.document.place_of_key(found if found is not None else path)

    def _find(self, path: Path) -> Path | None:
        document = self.document
        if path in document.keys or path in document.values:
            return path
        if self._merged is None:
            self._merged = {}
            for each in (*document.keys, *document.values):
                self._merged.setdefault(_without_merges(each), each)
        return self._merged.get(path)

    def written(self, value: object, path: Path) -> str:
        """A scalar as it was written."""
        if isinstance(value, str):
            return value
        if value is None:
            return ""
        found = self._find(path)
        text = self.document.written.get(found) if found is not None else None
        return text if text is not None else str(value).lower()

    def scalar(self, value: object, path: Path) -> str | None:
        """A scalar as it was written; ``None`` once it is reported that it is none."""
        if isinstance(value, dict | list):
            self.problem(path, f"{path[-1]} is {describe(value)}, not a single value")
            return None
        return self.written(value, path)

    def text(self, value: object, path: Path) -> str:
        """A scalar with its variables as the catalog writes them; empty once it is reported that it is none."""
        written = self.scalar(value, path)
        return "" if written is None else self.translated(written, path)

    def translated(self, written: str, path: Path, *, subject: str = "") -> str:
        """A text with its variables as the catalog writes them."""
        variables = self.around.variables
        withheld = find_secrets(variables) if self.around.is_shared else []
        try:
            text, losses = translate(
                written, {key: variables[key] for key in variables if key not in withheld}
            )
        except TemplateError as error:
            self.problem(path, str(error))
            return ""
        if self._is_too_much(written, text, path):
            return ""
        for loss in losses:
            self.left_out(path, subject or _subject(path), loss)
        for key in withheld:
            # Empty would be another value than the one that is withheld; without it, a start asks for it.
            text, count = re.subn(rf"(?<!\$)\$\{{{key}:-\}}", f"${{{key}}}", text)
            if count:
                self.changed(path, subject or _subject(path), describe_withheld(key, DOTENV))
        return text

    def _is_too_much(self, written: str, text: str, path: Path) -> bool:
        """Whether variables make the whole file too long with this text; told once."""
        was_too_much = self._characters > MOST_CHARACTERS
        self._characters += len(text) if text != written else 0
        is_too_much = self._characters > MOST_CHARACTERS
        if is_too_much and not was_too_much:
            self.problem(
                path, f"the file comes to more than {MOST_CHARACTERS} characters, variables put in"
            )
        return is_too_much

    def evaluated(self, value: object, path: Path) -> str | None:
        """A scalar whose value has to be known now; ``None`` once it is reported that it is none."""
        written = self.scalar(value, path)
        if written is None or "$" not in written:
            return written
        try:
            found = evaluate(written, self.around.variables)
        except TemplateError as error:
            self.problem(path, str(error))
            return None
        self.changed(path, _subject(path), f"`{written}` is decided now: `{found}`")
        return found

    def mapping(self, value: object, path: Path) -> dict[Any, Any]:
        """A mapping; empty once it is reported that it is none."""
        if isinstance(value, dict):
            return value
        if value is not None:
            self.problem(path, f"{path[-1]} is {describe(value)}, not a mapping")
        return {}

    def items(self, value: object, path: Path) -> list[Any]:
        """A list, or one value as a list; empty once it is reported that it is neither."""
        if isinstance(value, list):
            return value
        if isinstance(value, dict):
            self.problem(path, f"{path[-1]} is a mapping, not a list")
            return []
        return [] if value is None else [value]


def _without_merges(path: Path) -> Path:
    """Where a value belongs that stands below `<<`, be that one mapping or a list of them."""
    kept: list[str | int] = []
    for index, step in enumerate(path):
        is_source = isinstance(step, int) and index > 0 and path[index - 1] == "<<"
        if step != "<<" and not is_source:
            kept.append(step)
    return tuple(kept)


def _subject(path: Path) -> str:
    """The key of a service that a path is in."""
    return str(path[2]) if len(path) > 2 else str(path[-1])  # noqa: PLR2004 - below `services` and its name
