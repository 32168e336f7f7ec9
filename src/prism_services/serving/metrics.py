"""Counters, gauges and histograms in the Prometheus text format, as small as these services need them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
LATENCY_BUCKETS: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Upper bounds in seconds."""

Labels = tuple[str, ...]


class Metric(Protocol):
    """Anything that can be written out."""

    def lines(self) -> Iterator[str]:
        """Its lines in the text format, without line ends."""
        ...


class Counter:
    """A number per combination of labels that only grows."""

    def __init__(self, name: str, description: str, label_names: Labels = ()) -> None:
        self._name = name
        self._description = description
        self._label_names = label_names
        self._values: dict[Labels, int] = {}

    def add(self, labels: Labels = (), amount: int = 1) -> None:
        """Count ``amount`` more."""
        self._values[labels] = self._values.get(labels, 0) + amount

    def value(self, labels: Labels = ()) -> int:
        """What has been counted so far."""
        return self._values.get(labels, 0)

    def lines(self) -> Iterator[str]:
        """Its lines in the text format."""
        yield from _head(self._name, self._description, "counter")
        for labels, value in self._values.items():
            yield f"{self._name}{_braces(self._label_names, labels)} {value}"


class Gauge:
    """A number that is read when it is asked for."""

    def __init__(self, name: str, description: str, read: Callable[[], float]) -> None:
        self._name = name
        self._description = description
        self._read = read

    def lines(self) -> Iterator[str]:
        """Its lines in the text format."""
        yield from _head(self._name, self._description, "gauge")
        yield f"{self._name} {_number(self._read())}"


class Histogram:
    """How many observations fell under each bound, per combination of labels."""

    def __init__(
        self,
        name: str,
        description: str,
        label_names: Labels = (),
        bounds: tuple[float, ...] = LATENCY_BUCKETS,
    ) -> None:
        self._name = name
        self._description = description
        self._label_names = label_names
        self._bounds = bounds
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def observe(self, value: float, labels: Labels = ()) -> None:
        """Record one observation."""
        counts = self._counts.get(labels)
        if counts is None:
            counts = self._counts[labels] = [0] * (len(self._bounds) + 1)
            self._sums[labels] = 0.0
        place = next((i for i, bound in enumerate(self._bounds) if value <= bound), -1)
        counts[place] += 1
        self._sums[labels] += value

    def lines(self) -> Iterator[str]:
        """Its lines in the text format; buckets are cumulative."""
        yield from _head(self._name, self._description, "histogram")
        names = (*self._label_names, "le")
        for labels, counts in self._counts.items():
            total = 0
            for bound, count in zip((*self._bounds, None), counts, strict=True):
                total += count
                limit = "+Inf" if bound is None else _number(bound)
                yield f"{self._name}_bucket{_braces(names, (*labels, limit))} {total}"
            braces = _braces(self._label_names, labels)
            yield f"{self._name}_sum{braces} {_number(self._sums[labels])}"
            yield f"{self._name}_count{braces} {total}"


class Metrics:
    """All metrics of one process."""

    def __init__(self, metrics: Iterable[Metric] = ()) -> None:
        self._metrics = list(metrics)

    def add(self, *metrics: Metric) -> None:
        """Show these as well."""
        self._metrics.extend(metrics)

    def render(self) -> str:
        """The page that Prometheus reads."""
        return "".join(f"{line}\n" for metric in self._metrics for line in metric.lines())


def _head(name: str, description: str, kind: str) -> tuple[str, str]:
    return f"# HELP {name} {description}", f"# TYPE {name} {kind}"


def _braces(names: Labels, values: Labels) -> str:
    if not names:
        return ""
    pairs = zip(names, values, strict=True)
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
