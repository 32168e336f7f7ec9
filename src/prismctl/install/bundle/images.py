"""Container images in bundles: packed from Podman, and given to it on the other machine."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from prismctl.domain.counting import count_of
from prismctl.errors import MissingToolError, PrismError
from prismctl.install.bundle.opened import open_bundle
from prismctl.install.commands import run_command, shorten_line
from prismctl.install.containers.configuration import podman_environment
from prismctl.install.manifest import change_manifest, with_image
from prismctl.install.release.writing import writing
from prismctl.install.steps import Outcome
from prismctl.install.target import find_target
from prismctl.install.threads import run_in_thread
from prismctl.install.tools import ToolName
from prismctl.machine import find_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from prismctl.files.paths import Home
    from prismctl.install.bundle.opened import Bundle
    from prismctl.install.bundle.staging import Staging
    from prismctl.install.target import Target
    from prismctl.install.threads import Course

_LOOK_SECONDS: Final = 60.0
_COPY_SECONDS: Final = 1800.0
_MAX_IMAGE_BYTES: Final = 1 << 33
_OTHER: Final = re.compile(r"[^A-Za-z0-9.-]+")


async def gather_images(
    names: Iterable[str],
    staging: Staging,
    home: Home,
    environment: Mapping[str, str],
    report: Callable[[str], None],
) -> Outcome:
    """Have those images ready to be packed that Podman has; the others are named.

    Raises:
        MissingToolError: there is no Podman.
        PrismError: Podman cannot save an image.
    """
    wanted = sorted(set(names))
    podman = find_tool(ToolName.PODMAN, home.tools, environment)
    if podman is None:
        raise MissingToolError(
            "images cannot be packed: Podman is not on this machine",
            hint="leave `--with-images` out, or install Podman: `prismctl dev init`",
        )
    settings = {**environment, **podman_environment(home)}
    missing = []
    for number, image in enumerate(wanted, 1):
        if not await _find_id(podman.path, image, settings):
            missing.append(image)
            continue
        report(f"{image}, {number} of {count_of(len(wanted), 'image')}")
        file = f"images/{number:03}-{_OTHER.sub('_', image)[-60:].lstrip('._-')}.tar"
        path = staging.directory / file.replace("/", "-")
        save = (podman.path, "save", "--quiet", "--format", "oci-archive", "--output", str(path))
        answer = await run_command(
            (*save, image), environment=settings, timeout_seconds=_COPY_SECONDS
        )
        if not answer.is_success:
            raise PrismError(f"Podman cannot save {image}: {shorten_line(answer.complaint)}")
        staging.paths[file] = path
        staging.images[image] = file
    words = count_of(len(staging.images), "image")
    if missing:
        words = f"{words}; not in Podman here: {', '.join(missing)}"
    return Outcome(detail=words if wanted else "the catalog names none")


async def load_images(
    source: Path,
    home: Home,
    environment: Mapping[str, str] = os.environ,
    report: Callable[[str], None] = lambda _: None,
    *,
    target: Target | None = None,
) -> Outcome:
    """Give the images of a bundle to Podman.

    Raises:
        MissingToolError: there are images, and no Podman.
        PrismError: the bundle is damaged, or Podman cannot load an image.
    """
    bundle = await run_in_thread(lambda _: open_bundle(source, target or find_target()))
    images = bundle.index.images
    if not images:
        return Outcome(detail="none in the bundle")
    podman = find_tool(ToolName.PODMAN, home.tools, environment)
    if podman is None:
        raise MissingToolError(
            f"{count_of(len(images), 'image')} of {bundle.shown} cannot be used: Podman is not on this machine"
        )
    with writing(home.downloads):
        home.downloads.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = {**environment, **podman_environment(home)}
    loaded = 0
    for number, (image, file) in enumerate(images.items(), 1):
        if await _find_id(podman.path, image, settings):
            continue
        report(f"{image}, {number} of {count_of(len(images), 'image')}")
        path = home.downloads / f"image-{os.getpid()}.tar"
        try:
            await run_in_thread(_copy(bundle, file, path))
            answer = await run_command(
                (podman.path, "load", "--quiet", "--input", str(path)),
                environment=settings,
                timeout_seconds=_COPY_SECONDS,
            )
        finally:
            path.unlink(missing_ok=True)
        found = await _find_id(podman.path, image, settings)
        if not answer.is_success or not found:
            reason = shorten_line(answer.complaint or answer.output)
            raise PrismError(f"Podman cannot load {image} from {bundle.shown}: {reason}")
        _remember(home, found)
        loaded += 1
    here = len(images) - loaded
    words = [f"{count_of(loaded, 'image')} loaded"] if loaded else []
    words += [f"{count_of(here, 'image')} here already"] if here else []
    return Outcome(detail=", ".join(words), is_changed=bool(loaded))


async def _find_id(podman: str, image: str, settings: Mapping[str, str]) -> str:
    """The ID of an image that Podman has; empty: it has none of that name."""
    answer = await run_command(
        (podman, "image", "inspect", "--format", "{{.Id}}", image),
        environment=settings,
        timeout_seconds=_LOOK_SECONDS,
    )
    return answer.output.strip() if answer.is_success else ""


def _remember(home: Home, image_id: str) -> None:
    change_manifest(home, lambda manifest: with_image(manifest, image_id))


def _copy(bundle: Bundle, file: str, path: Path) -> Callable[[Course], None]:
    def work(course: Course) -> None:
        with writing(path):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(path, flags, 0o600)
        with os.fdopen(descriptor, "wb", buffering=0) as target:
            bundle.copy(file, target, course, max_bytes=_MAX_IMAGE_BYTES, path=path)

    return work
