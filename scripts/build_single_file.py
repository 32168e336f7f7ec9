"""Builds prismctl as one file for one platform: `make single-file`.

The file is a shell script with a zip archive behind it. The first call unpacks what fits the Python it finds (3.11 or
newer) into a directory named by the archive's hash; from then on it is one `exec` away. Native extensions cannot be
loaded out of an archive, and a frozen interpreter could not start the Prism services, which are Python programs of
their own: so what is unpacked is an ordinary virtual environment.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parent.parent
LAUNCHER: Final = CHECKOUT / "scripts" / "single_file.sh"
PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14")
TARGETS: Final = {
    "linux-amd64": "x86_64-manylinux_2_28",
    "linux-arm64": "aarch64-manylinux_2_28",
    "darwin-amd64": "x86_64-apple-darwin",
    "darwin-arm64": "aarch64-apple-darwin",
}
"""Platforms, and what uv calls them."""
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The same content makes the same file, whenever it is built."""


@dataclass(frozen=True, slots=True)
class Content:
    """One file of the archive: under ``all/`` when every Python gets the same, else under its own name."""

    name: str
    data: bytes
    is_executable: bool


def main() -> None:
    """Build the file that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=TARGETS, required=True)
    parser.add_argument("--wheel", type=Path, help="of prismctl; built from the checkout otherwise")
    parser.add_argument("--python", action="append", choices=PYTHONS, help="only for these")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    pythons = tuple(arguments.python or PYTHONS)
    with tempfile.TemporaryDirectory() as directory:
        workspace = Path(directory)
        wheel = arguments.wheel or build_wheel(workspace)
        trees = {
            python: install(wheel, python, TARGETS[arguments.target], workspace / python)
            for python in pythons
        }
        archive = workspace / "archive.zip"
        write_archive(archive, collect(trees), pythons)
        write_file(arguments.output, archive, arguments.target, wheel, pythons)
    size = arguments.output.stat().st_size / 1e6
    sys.stderr.write(f"{arguments.output}: {size:.0f} MB, for Python {', '.join(pythons)}\n")


def build_wheel(workspace: Path) -> Path:
    """The wheel of the checkout."""
    run("uv", "build", "--quiet", "--wheel", "--out-dir", str(workspace / "dist"), str(CHECKOUT))
    return next((workspace / "dist").glob("*.whl"))


def install(wheel: Path, python: str, platform: str, directory: Path) -> Path:
    """A tree of packages for one Python on one platform, at the versions of requirements.lock."""
    run(
        "uv",
        "pip",
        "install",
        "--quiet",
        "--system-certs",
        "--target",
        str(directory),
        "--python-version",
        python,
        "--python-platform",
        platform,
        "--only-binary",
        ":all:",
        "--constraints",
        str(CHECKOUT / "requirements.lock"),
        str(wheel),
    )
    shutil.rmtree(directory / "bin", ignore_errors=True)
    (directory / ".lock").unlink(missing_ok=True)
    return directory


def run(*command: str) -> None:
    """Run a command; what it says is shown."""
    beside = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{beside}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(command, check=True, env=environment)


def collect(trees: dict[str, Path]) -> list[Content]:
    """The files of all trees, those that are the same everywhere only once."""
    found: dict[str, dict[str, Content]] = {}
    for python, tree in trees.items():
        for path in sorted(tree.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                name = path.relative_to(tree).as_posix()
                executable = bool(path.stat().st_mode & 0o100)
                found.setdefault(name, {})[python] = Content(name, path.read_bytes(), executable)
    contents = []
    for name, each in sorted(found.items()):
        is_same = len(each) == len(trees) and len({one.data for one in each.values()}) == 1
        first = next(iter(each.values()))
        if is_same:
            contents.append(Content(f"all/{name}", first.data, first.is_executable))
        else:
            contents += [
                Content(f"{python}/{name}", one.data, one.is_executable)
                for python, one in each.items()
            ]
    return contents


def write_archive(path: Path, contents: list[Content], pythons: tuple[str, ...]) -> None:
    """All files, with the list of commands that the launcher makes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for content in contents:
            member = zipfile.ZipInfo(content.name, _EPOCH)
            member.external_attr = (0o755 if content.is_executable else 0o644) << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, content.data)
        entries = next(
            content.data
            for content in contents
            if content.name.startswith("all/prismctl-")
            and content.name.endswith("entry_points.txt")
        )
        description = {"pythons": pythons, "commands": read_commands(entries.decode())}
        archive.writestr(zipfile.ZipInfo("single-file.json", _EPOCH), json.dumps(description))


def read_commands(entry_points: str) -> dict[str, str]:
    """The console scripts of a distribution, ``module:function`` by name."""
    parser = ConfigParser(delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign] # names keep their case
    parser.read_string(entry_points)
    return dict(parser["console_scripts"])


def write_file(
    output: Path, archive: Path, target: str, wheel: Path, pythons: tuple[str, ...]
) -> None:
    """The launcher with the archive behind it."""
    payload = archive.read_bytes()
    version = wheel.name.split("-")[1]
    system, processor = target.split("-")
    head = LAUNCHER.read_text(encoding="utf-8")
    values = {
        "@VERSION@": version,
        "@SYSTEM@": system,
        "@PROCESSOR@": processor,
        "@PYTHONS@": " ".join(pythons),
        "@HASH@": hashlib.sha256(payload).hexdigest()[:16],
    }
    for name, value in values.items():
        head = head.replace(name, value)
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f".{output.name}.{os.getpid()}")
    temporary.write_bytes(head.encode() + payload)
    temporary.chmod(0o755)
    temporary.replace(output)


if __name__ == "__main__":
    main()
