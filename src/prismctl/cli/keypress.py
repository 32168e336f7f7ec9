"""A question that is answered with one key, on a terminal whose modes are as before afterwards, however it ends.

While the question stands, signals are noted and answered between two looks at the keyboard, never in the middle
of changing the terminal's modes.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import sys
import termios
import tty
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from prismctl.cli.interrupts import Terminated, held_interrupts
from prismctl.cli.terminal import width_of_stream
from prismctl.present.question import choice_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from prismctl.cli.invocation import Invocation
    from prismctl.present.question import Choice

_CHUNK_BYTES: Final = 256
_INTERRUPT: Final = "\x03"
"""Ctrl-C, where the terminal does not make a signal of it."""
_DECLINING: Final = frozenset({"\r", "\n", "\x04"})
"""Enter and Ctrl-D."""
_ENDING: Final = (signal.SIGHUP, signal.SIGQUIT)
"""What a process ends by unless it does something about it."""

_ESCAPE_SEQUENCE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[ -~]|[^\[O])", re.DOTALL)
_BEGUN_SEQUENCE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O)?\Z")


def ask_for_key(
    call: Invocation,
    choices: Sequence[Choice],
    *,
    declining: str,
    stands_after: Callable[[str], bool] = lambda _: False,
) -> str:
    """Show the choices on stderr and return the key of the one that was taken.

    Only where ``call.can_ask``, and in the main thread. What was typed before the question was seen does
    not answer it, and keys that are no choice are ignored.

    Args:
        call: says how lines are shown.
        choices: what can be answered.
        declining: the key that Enter and Ctrl-D stand for; its choice says so.
        stands_after: whether an answer was dealt with, and the same question stands: what was typed meanwhile
            answers it.

    Raises:
        KeyboardInterrupt: Ctrl-C.
        Terminated: SIGTERM, or there is no terminal any more.
    """
    keys = frozenset(choice.key for choice in choices)

    def show() -> None:
        width = width_of_stream(sys.stderr)
        try:
            call.show([*choice_lines(choices, declining=declining, width=width), ()])
        except OSError as error:
            raise Terminated from error

    with held_interrupts() as raise_arrived:
        with _noted_signals() as noted, _Keyboard(sys.stdin.fileno()) as keyboard:
            show()
            question = _Question(keys, declining, stands_after, show)
            answer = _wait_for_key(keyboard, noted, question, check=raise_arrived)
        raise_arrived()
    if isinstance(answer, signal.Signals):
        # What it does by default had to wait for the terminal's modes.
        os.kill(os.getpid(), answer)
        raise Terminated
    return answer


def split_keys(text: str) -> tuple[list[str], str]:
    """The keys in what a terminal sent, and the begin of a sequence that is not complete yet.

    Arrows, function keys and keys with Alt arrive as sequences with ordinary letters in them; they are left out.
    """
    text = _ESCAPE_SEQUENCE.sub("", text)
    begun = _BEGUN_SEQUENCE.search(text)
    if begun is None:
        return list(text), ""
    return list(text[: begun.start()]), begun.group()


class _Keyboard:
    """A terminal that hands over each key at once and does not echo it, as long as it is entered."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._modes = termios.tcgetattr(descriptor)
        self._rest = ""

    def __enter__(self) -> Self:
        try:
            self.take_over()
        except BaseException:
            self.give_back()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()

    def take_over(self) -> None:
        """Drop what was typed so far, and have single keys from now on."""
        tty.setcbreak(self.descriptor, termios.TCSAFLUSH)

    def give_back(self) -> None:
        """The modes that were found; a terminal that has gone has none."""
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self.descriptor, termios.TCSADRAIN, self._modes)

    def read(self) -> list[str]:
        """The keys that were pressed.

        Raises:
            Terminated: the terminal has gone.
        """
        try:
            data = os.read(self.descriptor, _CHUNK_BYTES)
        except OSError as error:
            raise Terminated from error
        if not data:
            raise Terminated
        keys, self._rest = split_keys(self._rest + data.decode("ascii", "replace"))
        return keys


class _Question(NamedTuple):
    """What can be answered, and how it is asked once more."""

    keys: frozenset[str]
    declining: str
    stands_after: Callable[[str], bool]
    show: Callable[[], None]


def _wait_for_key(
    keyboard: _Keyboard, noted: int, question: _Question, *, check: Callable[[], None]
) -> str | signal.Signals:
    pressed: list[str] = []
    while True:
        answer = _take_answer(pressed, question.keys, question.declining)
        if answer is not None:
            if not question.stands_after(answer):
                return answer
            question.show()
            continue
        ready, _, _ = select.select([keyboard.descriptor, noted], [], [])
        if noted in ready:
            arrived = frozenset(os.read(noted, _CHUNK_BYTES))
            check()
            ending = next((number for number in _ENDING if number in arrived), None)
            if ending is not None:
                return ending
            if signal.SIGTSTP in arrived:
                _suspend(keyboard)
            elif signal.SIGCONT in arrived:
                # Whoever had the terminal meanwhile has left it in other modes.
                keyboard.take_over()
                question.show()
        else:
            pressed += keyboard.read()


def _take_answer(pressed: list[str], keys: frozenset[str], declining: str) -> str | None:
    """The first answer among the pressed keys, which is none of them any more, nor is what came before it."""
    while pressed:
        key = pressed.pop(0)
        if key == _INTERRUPT:
            raise KeyboardInterrupt
        if key in _DECLINING:
            return declining
        if key.lower() in keys:
            return key.lower()
    return None


def _suspend(keyboard: _Keyboard) -> None:
    """Stop as Ctrl-Z asks for, with the terminal as the shell expects it; returns when it goes on."""
    keyboard.give_back()
    note = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    try:
        os.kill(os.getpid(), signal.SIGTSTP)
    finally:
        signal.signal(signal.SIGTSTP, note)
        keyboard.take_over()


@contextmanager
def _noted_signals() -> Iterator[int]:
    """A descriptor from which the numbers of signals that arrive can be read; they do nothing else."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    numbers = (*_ENDING, signal.SIGTSTP, signal.SIGCONT)
    caught = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, _do_nothing) for number in caught}
    previous_writer = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(previous_writer)
        for number, handler in previous.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)


def _do_nothing(_signal: int, _frame: FrameType | None) -> None:
    """Arriving at the descriptor is all there is to it."""
