"""What a service of a compose file keeps, and sees of this machine."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from prismctl.domain.importing.paths import write_path

if TYPE_CHECKING:
    from prismctl.domain.document import Path
    from prismctl.domain.importing.draft import Draft
    from prismctl.domain.importing.reading import Reading

_BIND: Final = (".", "/", "~", "$")
"""How the source of a volume begins that is a path; anything else is a name."""


class _Mount(NamedTuple):
    """One volume, short or long form."""

    source: str
    """A path, or the name of a directory of the service's own."""
    rest: str
    """The place inside, and options."""
    path: Path
    is_named: bool
    """Whether the file calls it by a name, so that compose keeps it until somebody removes it."""


class ComposeVolumes:
    """Translates the volumes of one service; what it cannot take over is told with its place."""

    def __init__(self, reading: Reading, draft: Draft) -> None:
        self.reading = reading
        self.draft = draft

    def translate(self, value: object, where: Path) -> None:
        """Take over a list of volumes."""
        mounts: list[_Mount] = []
        for index, each in enumerate(self.reading.items(value, where)):
            path = (*where, index)
            mount = (
                self._long_mount(each, path) if isinstance(each, dict) else self._mount(each, path)
            )
            if mount is not None:
                mounts.append(mount)
        own = {each.source for each in mounts if not each.source.startswith(_BIND)}
        for mount in mounts:
            if mount.source in own:
                self._keep(mount, count=len(own))
            else:
                self.draft.volumes.append(f"{self._locate(mount.source)}:{mount.rest}")

    def _keep(self, mount: _Mount, *, count: int) -> None:
        """A directory of the service's own; it is that itself for a single volume."""
        source = mount.source
        self.draft.named_volumes.setdefault(source, self.reading.place(mount.path))
        directory = "${self.data}" if count == 1 else "${self.data}/" + source
        self.draft.volumes.append(f"{directory}:{mount.rest}")
        if self._is_external(source):
            words = f"volume `{source}` belongs to another project; the service gets an empty one"
            self.reading.left_out(mount.path, "volumes", words)
        if mount.is_named:
            self.draft.persist = True
            words = f"`{source}` keeps what is in it from one start to the next: `persist: true`"
            self.reading.changed(mount.path, "volumes", words)

    def _mount(self, value: object, path: Path) -> _Mount | None:
        text = self.reading.text(value, path)
        source, colon, rest = _split_volume(text)
        if not text:
            return None
        if not colon:
            # A place of its own, without a name.
            return _Mount(_name_after(text), text, path, is_named=False)
        return _Mount(source, rest, path, is_named=not source.startswith(_BIND))

    def _long_mount(self, form: dict[Any, Any], path: Path) -> _Mount | None:
        reading = self.reading
        kind = form.get("type", "volume")
        target = reading.text(form.get("target"), (*path, "target"))
        if not target:
            reading.problem(path, "a volume has no `target`")
            return None
        if kind not in {"bind", "volume"}:
            reading.left_out(
                path, "volumes", f"a volume of type {kind}: only directories are mounted"
            )
            return None
        source = reading.text(form.get("source"), (*path, "source"))
        if kind == "bind" and not source:
            reading.problem(path, "a volume of type bind has no `source`")
            return None
        is_named = kind == "volume" and bool(source)
        source = source or _name_after(target)
        if kind == "bind" and not source.startswith(_BIND):
            source = f"./{source}"
        for key in ("bind", "volume"):
            if form.get(key):
                reading.left_out((*path, key), "volumes", f"{key}: the catalog has nothing for it")
        rest = f"{target}:ro" if form.get("read_only") is True else target
        return _Mount(source, rest, path, is_named=is_named)

    def _is_external(self, source: str) -> bool:
        tree: Any = self.reading.document.tree
        volumes = tree.get("volumes")
        form = volumes.get(source) if isinstance(volumes, dict) else None
        return isinstance(form, dict) and bool(form.get("external"))

    def _locate(self, source: str) -> str:
        """A path of the file, as the catalog writes it."""
        around, directory = self.reading.around, self.reading.document.directory
        if not source.startswith("."):
            return source
        return write_path(posixpath.join(directory, source), around.catalog_directory)


def _name_after(target: str) -> str:
    """A name for a volume that has none, by its place inside."""
    return target.strip("/").replace("/", "-") or "volume"


def _split_volume(text: str) -> tuple[str, str, str]:
    """Source, colon and the rest; a colon in a reference is none."""
    depth = 0
    for index, letter in enumerate(text):
        depth += (letter == "{") - (letter == "}")
        if letter == ":" and depth == 0:
            return text[:index], ":", text[index + 1 :]
    return text, "", ""
