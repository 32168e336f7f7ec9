"""How much a service of a compose file may have of the machine, and how often it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.domain.importing.amounts import parse_size
from prismctl.domain.replica_limit import MAX_REPLICAS

if TYPE_CHECKING:
    from prismctl.domain.document import Path
    from prismctl.domain.importing.draft import Draft
    from prismctl.domain.importing.reading import Reading

_MAX_MEMORY_MB: Final = 1 << 20
_LEAST_LIMIT_MB: Final = 6
_MHZ_OF_A_CORE: Final = 1000


class ComposeLimits:
    """Translates the amounts of one service; what it cannot take over is told with its place."""

    def __init__(self, reading: Reading, draft: Draft) -> None:
        self.reading = reading
        self.draft = draft

    def resources(self, value: object, where: Path) -> None:
        """What `deploy.resources` says."""
        resources = self.reading.mapping(value, where)
        for kind in ("limits", "reservations"):
            form = self.reading.mapping(resources.get(kind), (*where, kind))
            for key, each in form.items():
                path = (*where, kind, key)
                if key == "memory" and kind == "limits":
                    self.memory_limit(each, path)
                elif key == "memory":
                    self.memory_reservation(each, path)
                elif key == "cpus":
                    self.cpus(each, path)
                else:
                    words = f"{kind}.{key}: the catalog has nothing for it"
                    self.reading.left_out(path, "deploy.resources", words)

    def memory_limit(self, value: object, where: Path) -> None:
        """A limit beyond which it is killed."""
        megabytes = self._megabytes(value, where)
        if megabytes is None:
            return
        if megabytes < _LEAST_LIMIT_MB:
            words = f"{megabytes} MB: no container starts with less than {_LEAST_LIMIT_MB} MB"
            self.reading.left_out(where, "memory limit", words)
        else:
            self.draft.memory_limit_mb = megabytes

    def memory_reservation(self, value: object, where: Path) -> None:
        """What a scheduler reserves."""
        self.draft.memory_mb = self._megabytes(value, where) or self.draft.memory_mb

    def _megabytes(self, value: object, where: Path) -> int | None:
        word = self.reading.evaluated(value, where)
        size = parse_size(word) if word else None
        if size is None:
            if word is not None:
                self.reading.problem(where, f"`{word}` is no size; write `512m`")
            return None
        return min(_MAX_MEMORY_MB, max(1, size >> 20)) if size else None

    def cpus(self, value: object, where: Path) -> None:
        """Cores, which become MHz to reserve."""
        word = self.reading.evaluated(value, where) or ""
        try:
            cores = float(word)
        except ValueError:
            self.reading.problem(where, f"cpus `{word}` is no number")
            return
        if not 0 <= cores <= _MHZ_OF_A_CORE:
            self.reading.problem(where, f"cpus `{word}` is no number of cores")
        elif cores and self.draft.cpu_mhz is None:
            self.draft.cpu_mhz = max(1, round(cores * _MHZ_OF_A_CORE))
            words = (
                f"{word} cores are {self.draft.cpu_mhz} MHz that a scheduler reserves, not a limit"
            )
            self.reading.changed(where, "cpus", words)

    def replicas(self, value: object, where: Path) -> None:
        """How many instances."""
        word = self.reading.evaluated(value, where) or ""
        if not word.isdecimal():
            self.reading.problem(where, f"`{word}` is no number of replicas")
        elif int(word) > MAX_REPLICAS:
            self.reading.left_out(where, "replicas", f"{word}: at most {MAX_REPLICAS} are possible")
        elif int(word) != 1:
            self.draft.replicas = int(word)
