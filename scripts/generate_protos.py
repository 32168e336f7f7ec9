"""Write ``src/prism_proto`` from ``proto/``: messages, their types, and gRPC stubs with types.

The generators write imports that assume the output directory is on ``sys.path``; they are rewritten so
that everything is imported from inside the package ``prism_proto``.

    python scripts/generate_protos.py            # writes src/prism_proto
    python scripts/generate_protos.py DIRECTORY  # writes DIRECTORY instead
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Final

from grpc_tools import protoc  # type: ignore[import-untyped]  # ships no types

ROOT: Final = Path(__file__).resolve().parents[1]
SOURCES: Final = ROOT / "proto"
PACKAGE: Final = "prism_proto"
DEFAULT_OUTPUT: Final = ROOT / "src" / PACKAGE
DOCSTRING: Final = '"""Generated from {source} by `make proto`; never edited."""\n'

OWN_IMPORT: Final = re.compile(r"^(from|import) (prism)(?=[. ])", re.MULTILINE)
"""An import of generated code, as the generators write it."""
MODULE_NAME: Final = re.compile(r"(?<=')prism(?=(?:\.\w+)*\.\w+_pb2')")
"""The module name that the messages of a file are given."""


UNUSED_IMPORTS: Final = {"prism/control_plane.proto": "prism/options.proto"}
"""Imports that a published file has and does not use: left out, for `options.proto` brings in the description
of descriptors, which alone is a third of what importing the control plane costs."""


def main(arguments: list[str]) -> int:
    """Generate into the directory given, or the committed one; the exit code is the compiler's."""
    output = Path(arguments[0]) if arguments else DEFAULT_OUTPUT
    with tempfile.TemporaryDirectory() as directory:
        raw = Path(directory)
        code = compile_into(raw)
        if code:
            return code
        replace_package(output, raw)
    return 0


def compile_into(raw: Path) -> int:
    """Run protoc over every source, with its four generators."""
    sources = sorted(path.relative_to(SOURCES).as_posix() for path in SOURCES.rglob("*.proto"))
    lean = raw / "proto"
    for source in sources:
        text = (SOURCES / source).read_text()
        unused = UNUSED_IMPORTS.get(source)
        target = lean / source
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text.replace(f'import "{unused}";\n', "") if unused else text)
    outputs = [f"--{kind}_out={raw}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    well_known = str(files("grpc_tools") / "_proto")
    # The plugins live beside the interpreter, which is not on PATH when a virtualenv is not activated.
    plugins = [
        f"--plugin=protoc-gen-{name}={Path(sys.executable).parent / f'protoc-gen-{name}'}"
        for name in ("mypy", "mypy_grpc")
    ]
    result: int = protoc.main(
        ["protoc", f"-I{lean}", f"-I{well_known}", *plugins, *outputs, *sources]
    )
    return result


def replace_package(output: Path, raw: Path) -> None:
    """Make ``output`` hold exactly what was generated, importable as one package."""
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    for path in sorted(raw.rglob("*.py*")):
        if "_pb2_grpc." in path.name and "Stub" not in path.read_text():
            continue  # a file without a service
        target = output / path.relative_to(raw)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(inside_package(path.read_text()))
    for directory in (output, *(path for path in output.rglob("*") if path.is_dir())):
        name = directory.relative_to(output).as_posix()
        source = "proto/" if name == "." else f"proto/{name}/"
        (directory / "__init__.py").write_text(DOCSTRING.format(source=source))
    (output / "py.typed").touch()


def inside_package(text: str) -> str:
    """Generated code with its imports of generated code made absolute."""
    text = OWN_IMPORT.sub(rf"\1 {PACKAGE}.\2", text)
    return MODULE_NAME.sub(f"{PACKAGE}.prism", text)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
