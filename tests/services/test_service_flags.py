from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from prism_services.admin import flags as admin_flags
from prism_services.admin.location import database_path
from prism_services.launcher import flags as launcher_flags
from prism_services.launcher.isolation import Isolation
from prism_services.memstore import flags as memstore_flags
from prism_services.serving.failure import FlagError
from prism_services.serving.journal import FIELDS, JsonLines, TextLines


def test_the_memstore_has_its_documented_defaults() -> None:
    options = memstore_flags.parse([])
    assert (options.grpc_port, options.metrics_port, options.max_keys) == (0, 0, 10_000)
    assert (options.cleanup_seconds, options.listen) == (60.0, "127.0.0.1")


def test_the_launcher_has_its_documented_defaults() -> None:
    options = launcher_flags.parse([])
    assert (options.grpc_port, options.health_port, options.metrics_port) == (7070, 9093, 9193)
    assert (options.launcher_id, options.max_processes) == ("launcher-01", 20)
    assert (options.admin_endpoint, options.isolation) == ("localhost:8981", Isolation.NONE)
    assert options.patterns_directory is None


def test_admin_has_its_documented_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PRISM_HOME", str(tmp_path))
    options = admin_flags.parse(["serve"])
    assert isinstance(options, admin_flags.ServeOptions)
    assert (options.grpc_port, options.metrics_port) == (8981, 9190)
    assert (options.listen, options.ignored) == ("127.0.0.1", ())
    assert options.database == tmp_path / "data" / "prism-admin" / "prism-admin.db"


@pytest.mark.parametrize("flag", ["--port", "--grpc-port"])
def test_admin_takes_its_port_by_either_name(flag: str) -> None:
    options = admin_flags.parse(["serve", f"{flag}=1234", "--db", "sqlite://x.db"])
    assert isinstance(options, admin_flags.ServeOptions)
    assert options.grpc_port == 1234


def test_admin_accepts_the_flags_of_a_replicated_one_and_says_which_do_nothing() -> None:
    given = (
        "serve --raft-id 1 --http-port 2 --raft-port 3 --raft-addr a --advertise-addr b --cluster"
    )
    options = admin_flags.parse([*given.split(), "--db", "sqlite://x.db"])
    assert isinstance(options, admin_flags.ServeOptions)
    assert options.ignored == admin_flags.COMPATIBLE


@pytest.mark.parametrize(
    "line",
    [
        "-e h:1 -o json namespace list",
        "namespace list -e h:1 -o json",
        "--endpoint=h:1 namespace list --output=json",
    ],
)
def test_a_client_flag_counts_before_and_after_the_command(line: str) -> None:
    options = admin_flags.parse(line.split())
    assert isinstance(options, admin_flags.ClientOptions)
    assert (options.endpoint, options.output) == ("h:1", admin_flags.OutputFormat.JSON)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///var/lib/x.db", "/var/lib/x.db"),
        ("sqlite:////var/lib/x.db", "/var/lib/x.db"),
        ("sqlite://x.db", str(Path.cwd() / "x.db")),
        ("sqlite://a/b.db", str(Path.cwd() / "a" / "b.db")),
    ],
)
def test_what_follows_the_scheme_is_the_path(url: str, path: str) -> None:
    assert database_path(url, "/elsewhere") == Path(path)


def test_a_data_directory_holds_the_database() -> None:
    assert database_path("", "/data") == Path("/data/prism-admin.db")


@pytest.mark.parametrize("url", ["postgres://x", "x.db", "sqlite://", "sqlite:///", "sqlite:/x"])
def test_another_url_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(FlagError, match="--db") as error:
        database_path(url, "")
    assert "sqlite://" in error.value.hint


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--grpc-prt", "1"], "did you mean `--grpc-port`"),
        (["--grpc-port", "65536"], "`65536` is not a port"),
        (["--grpc-port", "-1"], "--grpc-port"),
        (["--max-keys", "0"], "`0` is not a number"),
        (["--cleanup-period", "0s"], "`0s` is not a duration"),
        (["--log-level", "loud"], "invalid choice: 'loud'"),
        (["surplus"], "unknown argument `surplus`"),
    ],
)
def test_a_mistake_is_one_line_and_a_hint(arguments: list[str], words: str) -> None:
    with pytest.raises(FlagError) as error:
        memstore_flags.parse(arguments)
    assert words in error.value.message
    assert "\n" not in error.value.message
    assert "--help" in error.value.hint


def test_help_begins_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        launcher_flags.parse(["--help"])
    assert capsys.readouterr().out.startswith("examples:\n  pattern-launcher")


def record(text: str, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("prism.tested", logging.WARNING, "", 0, text, None, None)
    made.created = 1_700_000_000.0625
    setattr(made, FIELDS, fields)
    return made


def test_a_text_line_quotes_what_could_be_mistaken() -> None:
    line = TextLines().format(record("it\nhappened", path="/a/b", words='a "b"\nc', none="", n=3))
    assert line == (
        '2023-11-14T22:13:20.062Z WARN  it\\nhappened path=/a/b words="a \\"b\\"\\nc" none="" n=3'
    )


def test_a_json_line_cannot_be_overridden_by_a_field() -> None:
    line = json.loads(JsonLines().format(record("it happened", message="else", port=1)))
    assert line == {
        "time": "2023-11-14T22:13:20.062Z",
        "level": "warning",
        "message": "it happened",
        "port": 1,
    }
