"""The way in and the way out: the only place where errors become words and exit codes.

``--version`` is answered before anything is imported. Everything else goes through click without its own error
printing: usage errors, the project's errors, interrupts and bugs all end here, each as one line and a hint on
stderr, or as ``{"error": …}`` on stdout when the answer was asked for as JSON.
"""

from __future__ import annotations

import os
import sys

from prismctl import __version__

TYPE_CHECKING = False
"""Known to type checkers by its name; importing `typing` for it would double the time of ``--version``."""

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from prismctl.errors import PrismError
    from prismctl.present.text import Line

PROGRAM_NAME: Final = "prismctl"
COMPLETION_VARIABLE: Final = "_PRISMCTL_COMPLETE"
_FIRST_SIGNAL_CODE: Final = 129


def main() -> int:
    """The console script: runs what was typed and returns the exit code."""
    _open_missing_streams()
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        sys.stdout.write(f"{PROGRAM_NAME} {__version__}\n")
        return 0
    if COMPLETION_VARIABLE in os.environ:
        code = _complete(arguments)
        _flush_stdout()
        # Nothing is open that would have to be closed, and somebody waits at a prompt.
        os._exit(code)
    code = run(arguments)
    _flush_stdout()
    if code >= _FIRST_SIGNAL_CODE:
        # An interrupt that hit `exec` (a dataclass being defined) makes the interpreter end itself by that signal
        # on its way out, although it was answered.
        os._exit(code)
    return code


def run(arguments: Sequence[str]) -> int:
    """Run one command line in this process and return its exit code."""
    import click

    from prismctl.cli.interrupts import (
        Terminated,
        is_caused_by_interrupt,
        termination_as_exception,
    )
    from prismctl.errors import ExitCode, PrismError

    try:
        with termination_as_exception():
            code = _invoke(arguments)
    except PrismError as error:
        code = _report(error, arguments)
    except click.ClickException as error:
        from prismctl.cli.usage import explain_usage_error

        code = _report(explain_usage_error(error), arguments)
    except (KeyboardInterrupt, click.Abort):
        _write_line("interrupted")
        code = ExitCode.INTERRUPTED
    except Terminated:
        _write_line("terminated")
        code = ExitCode.TERMINATED
    except BrokenPipeError:
        _abandon_stdout()
        code = ExitCode.DONE
    except Exception as error:  # noqa: BLE001 - the outermost boundary: what gets here is a bug, and is told as one
        if is_caused_by_interrupt(error):
            _write_line("interrupted")
            code = ExitCode.INTERRUPTED
        else:
            code = _report_bug(error, arguments)
    return code


def _invoke(arguments: Sequence[str]) -> int:
    """Parse and run, without click's own answers to interrupts and closed pipes."""
    import click

    from prismctl.cli.root import root

    try:
        with root.make_context(PROGRAM_NAME, list(arguments)) as context:
            root.invoke(context)
    except click.exceptions.NoArgsIsHelpError as asked:
        # Somebody who types a group's name alone wants to see what there is.
        sys.stdout.write(f"{asked.ctx.get_help()}\n")
    except click.exceptions.Exit as done:
        return done.exit_code
    return 0


def _complete(arguments: Sequence[str]) -> int:
    """Answer the shell; a completion that cannot be answered is silent."""
    import gc

    # What is made here is needed to the end: looking for garbage takes a tenth of the whole time.
    gc.disable()
    from prismctl.cli.root import root
    from prismctl.cli.shells import register_shells

    try:
        register_shells()
        root.main(list(arguments), prog_name=PROGRAM_NAME, complete_var=COMPLETION_VARIABLE)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 1
    except Exception:  # noqa: BLE001 - the outermost boundary: a traceback would land in somebody's prompt
        return 1


def _report(error: PrismError, arguments: Sequence[str]) -> int:
    from prismctl.present.problems import error_lines, render_error

    if wants_json(arguments):
        _write_json(render_error(error))
    else:
        _write_lines(error_lines(error), arguments)
    return error.exit_code


def _report_bug(error: Exception, arguments: Sequence[str]) -> int:
    from prismctl.cli.bugs import describe_bug
    from prismctl.errors import ExitCode
    from prismctl.present.problems import error_document, message_lines

    message, hint = describe_bug(error, arguments)
    if wants_json(arguments):
        _write_json(error_document(code="bug", message=message, hint=hint))
    else:
        _write_lines(message_lines(message, hint=hint), arguments)
    if {"-v", "--verbose"} & {*arguments}:
        import traceback

        _write_line("\n" + "".join(traceback.format_exception(error)).rstrip())
    return ExitCode.FAILED


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the answer was asked for as JSON; read from the words, so that it holds for words click refuses."""
    wanted = False
    for index, word in enumerate(arguments):
        if word == "--":
            break
        if word in {"-o", "--output", "--format"}:
            wanted = list(arguments[index + 1 : index + 2]) == ["json"]
        elif word in {"-ojson", "--output=json", "--format=json"}:
            wanted = True
    return wanted


def _write_json(document: object) -> None:
    from prismctl.present.json_text import render_json

    try:
        sys.stdout.write(f"{render_json(document)}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon_stdout()


def _write_lines(lines: Sequence[Line], arguments: Sequence[str]) -> None:
    from prismctl.cli.terminal import has_colour, paint

    colour = has_colour(sys.stderr, is_forbidden="--no-color" in arguments)
    _write_line("\n".join(paint(words, has_colour=colour) for words in lines))


def _write_line(words: str) -> None:
    """Write to stderr, after all of stdout, so that the two cannot interleave."""
    _flush_stdout()
    try:
        sys.stderr.write(f"{words}\n")
        sys.stderr.flush()
    except OSError:
        # A pipe that nobody reads any more, or a terminal that was closed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _flush_stdout() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon_stdout()


def _abandon_stdout() -> None:
    """The reader has gone: the interpreter's own flush at exit shall find a sink."""
    from prismctl.cli.terminal import abandon

    abandon(sys.stdout)


def _open_missing_streams() -> None:
    """Have all three standard streams, also where they were closed (``>&-``).

    Else the next file that is opened would get the number of one, and what is written to that one.
    """
    for number, mode in ((0, "r"), (1, "w"), (2, "w")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is this one.
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123, SIM115 - open as long as the process is
            os.set_inheritable(number, True)
            setattr(sys, ("stdin", "stdout", "stderr")[number], stream)
