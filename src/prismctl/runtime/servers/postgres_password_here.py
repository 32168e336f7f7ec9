"""Gives PostgreSQL's data the password of its environment, and becomes its command: ``… DATA SYNC COUNT COMMAND…``.

Run by path with the bare interpreter, so it imports nothing of ours. The first COUNT words of COMMAND are the server's
program and the account that it runs under. Started alone it takes statements on its standard input while nothing
listens yet, so the password is in no command line and in no file. That is done before every start: data may come
from elsewhere, with another password inside. With SYNC 1 what was done is on the disk before this ends.

As in the official image, ``POSTGRES_USER`` is who may log in (``postgres``) and ``POSTGRES_DB`` the database (named like
the user); they are made where they are not there.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping

EXIT_REFUSED = 78
"""What `sysexits` calls a mistake in the configuration: the next try would end the same."""
EXIT_TRY_AGAIN = 75
"""What `sysexits` calls a failure that passes."""
PASSING = ("lock file", "shared memory block", "it ended with code -")
"""In what is said where another server has the data still and is about to go, and where somebody killed this one."""
DEFAULT_USER = "postgres"
ALWAYS_THERE = "template1"
"""The database that nobody drops."""
DONE = "prismctl: set"
"""Answered once all is as it should be: a server that runs alone goes on after a statement that failed."""
OPTIONS = (
    "password_encryption=scram-sha-256",
    # What goes wrong is told here, without the statement.
    "log_statement=none",
    "log_min_error_statement=panic",
    "log_min_duration_statement=-1",
    "log_checkpoints=off",
    "logging_collector=off",
)


def find_statements(data: Path, environment: Mapping[str, str]) -> str:
    """What is to be executed in a data directory; empty: nothing."""
    password = environment.get("POSTGRES_PASSWORD", "")
    # A server that follows another one has the passwords of that one, and cannot be started alone.
    follows = any((data / name).exists() for name in ("standby.signal", "recovery.signal"))
    if not password or follows or not (data / "PG_VERSION").exists():
        return ""
    user = environment.get("POSTGRES_USER") or DEFAULT_USER
    return render_statements(user, environment.get("POSTGRES_DB") or user, password)


def render_statements(user: str, database: str, password: str) -> str:
    """One statement a line, as a server that runs alone reads them; the last one answers `DONE`."""
    role, word, name = (quote(text) for text in (user, password, database))
    missing = f"not exists (select from pg_roles where rolname = {role})"
    make = f"execute format('create role %I superuser login', {role})"
    change = f"execute format('alter role %I password %L', {role}, {word})"
    lines = [f"do $$begin if {missing} then {make}; end if; {change}; end$$"]
    wanted = f"exists (select from pg_authid where rolname = {role} and rolpassword like 'SCRAM%')"
    if database != DEFAULT_USER:
        # One that is there makes this fail, which does no harm.
        lines.append('create database "{}"'.format(database.replace('"', '""')))
        wanted += f" and exists (select from pg_database where datname = {name})"
    lines.append(f"select '{DONE}' where {wanted}")
    return "".join(f"{line}\n" for line in lines)


def quote(text: str) -> str:
    """A text as a constant of SQL that has no letter in it which means something to somebody."""
    return "E'" + "".join(f"\\x{byte:02x}" for byte in os.fsencode(text)) + "'"


def execute(statements: str, data: Path, program: list[str], *, syncs: bool) -> str:
    """Have the server execute statements alone; what it says if they were not executed, else empty."""
    options = OPTIONS if syncs else (*OPTIONS, "fsync=off")
    words = [word for option in options for word in ("-c", option)]
    done = subprocess.run(
        [*program, "--single", "-D", str(data), *words, ALWAYS_THERE],
        input=os.fsencode(statements),
        capture_output=True,
        check=False,
    )
    if done.returncode == 0 and f'"{DONE}"'.encode() in done.stdout:
        return ""
    return os.fsdecode(done.stderr).strip() or f"it ended with code {done.returncode}"


def find_cause(fault: str) -> str:
    """The first line that tells of an error, without what comes before its words; else the last one."""
    lines = [line.strip() for line in fault.splitlines() if line.strip()]
    found = (re.search(r"\b(?:FATAL|PANIC|ERROR): +(.*)", line) for line in lines)
    return next((each[1] for each in found if each), lines[-1] if lines else "")


def main(data: Path, count: int, command: list[str], *, syncs: bool) -> NoReturn:
    """Set the password, then execute the command in place of this process; never returns."""
    # A stop may come at any moment, and has nothing to tell.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        statements = find_statements(data, os.environ)
        fault = execute(statements, data, command[:count], syncs=syncs) if statements else ""
    except OSError as error:
        fault = f"{error.filename}: {error.strerror}"
    if fault:
        sys.stderr.write(f"cannot set the password in {data}: {fault}\n")
        if any(words in fault for words in PASSING):
            sys.exit(EXIT_TRY_AGAIN)
        # As the look before all else leaves it; where nothing can be written, the output is all there is.
        with contextlib.suppress(OSError):
            text = f"cannot set the password in {data}: {find_cause(fault)}"
            data.with_name(f"{data.name}.refused").write_text(text, errors="replace")
        sys.exit(EXIT_REFUSED)
    # Python ignores these two, and a new program would inherit that.
    for each in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(each, signal.SIG_DFL)
    os.execv(command[0], command)  # noqa: S606 - the command is the whole point


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[3]), sys.argv[4:], syncs=sys.argv[2] == "1")
