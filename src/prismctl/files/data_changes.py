"""What can be done to the data of a stack that stands still: the same for the daemon and for a stopped stack."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prismctl.errors import PrismError, RejectedError
from prismctl.files.passwords import load_passwords
from prismctl.files.service_data import Exchange, ServiceData
from prismctl.files.snapshots import MAX_SNAPSHOTS, Snapshot, Snapshots, verify_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from prismctl.files.paths import StackPaths


class GivenUpError(PrismError):
    """Somebody wants something else to be done instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataChange:
    """What is done, or was."""

    sizes: Mapping[str, int]
    """By service: the bytes that were put aside, put back or copied."""
    exchanges: tuple[Exchange, ...] = ()
    """Prepared, to be carried out while nothing of the services runs."""
    snapshot: str = ""
    """The one that was taken, or that the data comes from."""
    removed: tuple[str, ...] = ()
    """Snapshots that made room."""
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By service: what is inside the data and is not what the stack has; to be taken over with it."""


def prepare_reset(paths: StackPaths, names: Sequence[str]) -> DataChange:
    """Have services begin without data; what they have is put aside.

    Raises:
        PrismError: it cannot be written.
    """
    data = ServiceData(paths.data)
    sizes = {name: data.describe(name).size_bytes if data.has_data(name) else 0 for name in names}
    exchanges: list[Exchange] = []
    with _giving_up_on_failure(data, exchanges):
        exchanges.extend(data.prepare_empty(name) for name in names)
    return DataChange(sizes=sizes, exchanges=tuple(exchanges))


def prepare_restore(
    paths: StackPaths,
    names: Sequence[str],
    *,
    snapshot: str,
    is_previous: bool,
    keeps: bool,
    check: Callable[[], None] = lambda: None,
) -> DataChange:
    """Have services begin with data from a snapshot, or with what was put aside.

    Args:
        paths: of the stack.
        names: of the services; none: all that there is such data of.
        snapshot: its name; empty: the newest that has the services.
        is_previous: what was put aside, instead of a snapshot.
        keeps: the next start shall not discard it.
        check: called now and then; what it raises ends the copying.

    Raises:
        RejectedError: there is no such data.
        PrismError: it cannot be read or written.
    """
    data = ServiceData(paths.data)
    exchanges: list[Exchange] = []
    if is_previous:
        found = data.names_of_previous()
        _refuse_missing(names, found, f"nothing was put aside of {{}} in stack `{paths.name}`")
        chosen = list(names) or found
        sizes = {name: data.describe(name).previous_bytes or 0 for name in chosen}
        with _giving_up_on_failure(data, exchanges):
            exchanges.extend(data.prepare_previous(name, keeps=keeps) for name in chosen)
        return DataChange(sizes=sizes, exchanges=tuple(exchanges))
    source = find_source(paths, names, snapshot)
    chosen = list(names) or list(source.sizes)
    known = load_passwords(paths)
    other = {
        name: word
        for name, word in source.passwords.items()
        if name in chosen and known.get(name) != word
    }
    if other and not keeps:
        raise RejectedError(
            f"snapshot `{source.name}` has another password inside for {', '.join(other)}",
            hint="`prismctl dev stop` first: restored then, the next start uses that password",
        )
    with _giving_up_on_failure(data, exchanges):
        for name in chosen:
            check()
            exchanges.append(data.prepare_copy(name, source.data(name), keeps=keeps, check=check))
    return DataChange(
        sizes={name: source.sizes[name] for name in chosen},
        exchanges=tuple(exchanges),
        snapshot=source.name,
        passwords=other,
    )


def find_source(paths: StackPaths, names: Sequence[str], snapshot: str) -> Snapshot:
    """The snapshot that is meant.

    Raises:
        RejectedError: there is none, or it does not have the services.
    """
    snapshots = Snapshots(paths.snapshots)
    hint = "`prismctl dev data list` shows what there is"
    if snapshot:
        verify_name(snapshot)
        found = snapshots.find(snapshot)
        if found is None:
            raise RejectedError(f"stack `{paths.name}` has no snapshot `{snapshot}`", hint=hint)
        _refuse_missing(names, found.sizes, f"snapshot `{snapshot}` has no data of {{}}")
        return found
    for each in snapshots.list_all():
        if each.sizes and all(name in each.sizes for name in names):
            return each
    of = f" of {', '.join(names)}" if names else ""
    raise RejectedError(
        f"stack `{paths.name}` has no snapshot{of}",
        hint=f"{hint}; `--previous` brings back what the last start or reset put aside",
    )


def copy_data(
    paths: StackPaths,
    names: Sequence[str],
    *,
    name: str,
    replaces: bool,
    removes: Sequence[str],
    check: Callable[[], None] = lambda: None,
) -> DataChange:
    """Take a snapshot of services that stand still.

    Args:
        paths: of the stack.
        names: of the services; none: all that have data.
        name: of the snapshot; empty: the time.
        replaces: whether one of that name may be replaced.
        removes: snapshots that may go, the oldest, where there are too many.
        check: called now and then; what it raises ends the copying.

    Raises:
        RejectedError: there is no data, one of that name is there, or there are too many.
        PrismError: something cannot be read or written.
    """
    data, snapshots = ServiceData(paths.data), Snapshots(paths.snapshots)
    found = [each for each in data.names() if data.has_data(each)]
    _refuse_missing(names, found, f"{{}} has no data in stack `{paths.name}`")
    chosen = list(names) or found
    half = [each for each in chosen if not data.is_whole(each)]
    if half:
        raise RejectedError(
            f"the data of {', '.join(half)} is not whole: it was being prepared for the first time",
            hint="wait until it is healthy",
        )
    name = name or snapshots.choose_name(time.time())
    verify_name(name)
    if snapshots.find(name) is not None and not replaces:
        raise RejectedError(
            f"stack `{paths.name}` has a snapshot `{name}` already",
            hint="add --yes to replace it, or choose another name",
        )
    surplus = [each.name for each in snapshots.find_oldest(sparing=name)]
    if not set(surplus) <= set(removes):
        raise RejectedError(
            f"stack `{paths.name}` has {MAX_SNAPSHOTS} snapshots, which is the most; the oldest is `{surplus[0]}`",
            hint="add --yes to have the oldest removed",
        )
    known = load_passwords(paths)
    taken = snapshots.take(
        name,
        {each: data.directories(each) for each in chosen},
        passwords={each: known[each] for each in chosen if each in known},
        removes=surplus,
        check=check,
    )
    return DataChange(sizes=taken.sizes, snapshot=taken.name, removed=tuple(surplus))


def _refuse_missing(
    names: Sequence[str], found: Mapping[str, int] | Sequence[str], words: str
) -> None:
    missing = [name for name in names if name not in found]
    hint = "`prismctl dev data list` shows what there is"
    if missing:
        raise RejectedError(words.format(", ".join(missing)), hint=hint)
    if not names and not found:
        raise RejectedError(words.format("any service"), hint=hint)


@contextmanager
def _giving_up_on_failure(data: ServiceData, exchanges: list[Exchange]) -> Iterator[None]:
    """Forget what was prepared when the rest cannot be."""
    try:
        yield
    except BaseException:
        for each in exchanges:
            data.give_up(each)
        raise
