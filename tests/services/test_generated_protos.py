"""``src/prism_proto`` is what ``proto/`` says, and says what the wire format promises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from prism_proto.prism import control_plane_pb2
from prism_proto.prism.interfaces import proxy_control_plane_pb2
from prism_proto.prism.launcher import launcher_pb2

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "src" / "prism_proto"


def contents(directory: Path) -> dict[str, str]:
    return {
        path.relative_to(directory).as_posix(): path.read_text()
        for path in directory.rglob("*")
        if path.is_file() and path.suffix in {".py", ".pyi", ".typed"}
    }


def test_generating_again_gives_what_is_committed(tmp_path: Path) -> None:
    script = ROOT / "scripts" / "generate_protos.py"
    subprocess.run(
        [sys.executable, script, tmp_path / "out"], check=True, capture_output=True, timeout=60
    )
    again, committed = contents(tmp_path / "out"), contents(COMMITTED)
    assert sorted(again) == sorted(committed)
    assert [name for name in again if again[name] != committed[name]] == []


def test_messages_say_where_they_can_be_imported_from() -> None:
    assert control_plane_pb2.ProxyRegistration.__module__ == "prism_proto.prism.control_plane_pb2"


def test_field_numbers_are_those_of_the_published_protocol() -> None:
    fields = control_plane_pb2.ProcessConfig.DESCRIPTOR.fields_by_name
    assert {name: field.number for name, field in fields.items()} == {
        "binary": 1,
        "args": 2,
        "env": 3,
        "port": 4,
        "health_port": 5,
        "log_level": 6,
        "pattern": 10,
        "proxy": 11,
        "backend": 12,
        "utility": 13,
    }
    command = proxy_control_plane_pb2.ProxyCommand.DESCRIPTOR.oneofs_by_name["command"]
    assert [field.number for field in command.fields] == list(range(2, 9))
    assert launcher_pb2.ProcessState.Value("STATE_FINISHED") == 6
