"""Names of images as people write them: what no registry could have is refused before anybody is asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.containers import IMAGE_PATTERN, is_image_name
from prismctl.domain.interpolation import MARK
from prismctl.domain.problems import shorten
from prismctl.domain.shape import INVALID, Text, name_of

if TYPE_CHECKING:
    from prismctl.domain.document import Path, Report

_REFERENCE_PATTERN: Final = r"^\S*\$\{"


@dataclass(frozen=True, slots=True)
class ImageText:
    """The name of an image; one with a ``${reference}`` in it is looked at once that is replaced."""

    def read(self, value: object, path: Path, report: Report) -> Any:
        """The name as written."""
        image = Text().read(value, path, report)
        if image is INVALID or MARK in image or is_image_name(image):
            return image
        report.value(path, f"{name_of(path)} {describe_fault(image)}")
        return INVALID

    def schema(self) -> dict[str, Any]:
        """A string."""
        return {
            "anyOf": [
                {"type": "string", "pattern": IMAGE_PATTERN},
                {"type": "string", "pattern": _REFERENCE_PATTERN},
            ]
        }


def describe_fault(image: str) -> str:
    """What is wrong with a name that no image can have."""
    lower = image.lower()
    way_out = "its repository is written in lower case" if is_image_name(lower) else ""
    return (
        f"`{shorten(image)}` is not the name of an image, as `redis:7-alpine`"
        f"{f'; {way_out}' if way_out else ''}"
    )
