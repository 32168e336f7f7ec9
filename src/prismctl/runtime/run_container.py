"""Keeps one container: ``run_container.py KIND PROGRAM NAME RECORDS DATA GRACE COUNT OPTION… IMAGE ARGUMENT…``.

Run by path with the bare interpreter, so it imports nothing of ours. It runs the client of Podman or Docker in the
foreground, passes signals on exactly once, writes down which process is the container's, and takes the container away
when the client has ended, however that came. Killed itself, it leaves the container to whoever sweeps by label.

The first signal that asks it to end reaches the container as the one that its image names for that: PostgreSQL takes
SIGTERM to mean "once all clients have left". A container that somebody has paused is let go on for it. One that has not
ended GRACE seconds later is killed: the first process of a container does not hear signals that it did not ask for.

Variables for the container come in this process's own environment, each name with `VARIABLE_PREFIX` before it: what
the client itself reads (HOME, PATH) may be something else inside. They reach the client in a file that only its user
can read, or, where a line of a file cannot hold them, in its environment; never in its arguments.

Directories below DATA that are to be volumes are made, and the image's user is let into them.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

VARIABLE_PREFIX = "PRISM_CONTAINER_ENV_"
EXIT_KILLED = 128 + signal.SIGKILL
EXIT_CANNOT_START = 125
"""As the clients say it themselves."""
MAX_LINE = 32 * 1024
"""Clients read variable files line by line, with a bound that differs."""
LOOK_SECONDS = 0.02
"""Nothing tells when the client has written down which container it made."""
OPEN_TO_ALL = 0o777
"""For a directory in a home that is closed to others: who comes through the container is another user."""
ROOT = ("", "0", "root")
MACHINES = {
    "x86_64": ("amd64", "386"),
    "i686": ("386",),
    "aarch64": ("arm64", "arm"),
    "armv7l": ("arm",),
    "ppc64le": ("ppc64le",),
    "riscv64": ("riscv64",),
    "s390x": ("s390x",),
}
"""By the kernel's own name: what images call the machines whose programs it runs."""
EMULATORS = Path("/proc/sys/fs/binfmt_misc")
"""What the kernel hands programs of other machines to."""
ASK_SECONDS = 5.0
"""A client that does not say so soon what it knows of a container is not waited for."""
LEAST_GRACE_SECONDS = 0.01
"""A timer of nothing would be none."""
ASKS_TO_END = (signal.SIGINT, signal.SIGTERM)
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Records:
    """What is written down of one container, beside those of the others of the stack."""

    def __init__(self, directory: Path, name: str) -> None:
        self.container = directory / f"{name}.cid"
        self.process = directory / f"{name}.pid"
        self.variables = directory / f"{name}.env"
        self.work = directory / f"{name}.work"
        """Where Podman runs: some put a file named `oom` there, and do not find it again."""
        self.ending = directory / f"{name}.end"
        """Why it ended, in words, where an exit code does not say it."""
        self._turn = directory / f"{name}.turn"

    def take_turn(self) -> None:
        """Return once whoever keeps an earlier run has taken it away, or is dead; others wait until this one has."""
        descriptor = os.open(self._turn, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # Held until this process ends: nothing closes it before.
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    def clear(self) -> None:
        """Forget what was written of an earlier run; how that ended stays until this one is there."""
        for path in (self.container, self.process, self.variables):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.work, ignore_errors=True)

    @property
    def lacked_memory(self) -> bool:
        """Whether a Podman has left its note that memory was the end of it."""
        return (self.work / "oom").exists()


class Client:
    """The program that talks to Podman or Docker."""

    def __init__(self, kind: str, program: str, name: str, environment: dict[str, str]) -> None:
        self.kind = kind
        # Podman does, unless what runs containers is elsewhere: in a virtual machine, at the end of a connection.
        is_here = sys.platform == "linux" and "CONTAINER_HOST" not in environment
        self.notes_process = kind == "podman" and is_here
        """Whether the client itself writes down which process is the container's."""
        self.name = name
        self._program = program
        self._environment = environment

    def run(self, arguments: list[str], directory: Path) -> subprocess.Popen[bytes]:
        """Begin to run a container in the foreground.

        In a process group of its own: a signal for the whole group of this process would reach the
        container twice, and servers take a second interrupt for impatience.
        """
        return subprocess.Popen(
            [self._program, "run", *arguments],
            stdin=subprocess.DEVNULL,
            env=self._environment,
            cwd=directory,
            process_group=0,
        )

    def ask(self, template: str) -> str:
        """A fact about the container; empty when there is none."""
        return self._inspect("container", self.name, template)

    def ask_image(self, image: str, template: str) -> str:
        """A fact about an image; empty when there is none."""
        return self._inspect("image", image, template)

    def let_go_on(self) -> int:
        """Let it go on where it is paused: no signal reaches it then; and tell how it wants to be asked to end.

        That is by SIGTERM unless its image says otherwise.
        """
        paused, _, text = self.ask("{{.State.Paused}} {{.Config.StopSignal}}").partition(" ")
        if paused == "true":
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._call("unpause", self.name, bound_seconds=ASK_SECONDS)
        return parse_signal(text)

    def _inspect(self, what: str, name: str, template: str) -> str:
        words = (what, "inspect", "--format", template, "--", name)
        try:
            done = self._call(*words, bound_seconds=ASK_SECONDS)
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""

    def take_name(self) -> tuple[str, ...]:
        """The options that give the container its name; one that has it is removed."""
        if self.kind == "podman":
            return ("--name", self.name, "--replace")
        self.remove()
        return ("--name", self.name)

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            self._call("kill", "--signal", "KILL", self.name, bound_seconds=ASK_SECONDS)

    def remove(self) -> None:
        """Take the container away, running or not, with the volumes that only it has."""
        at_once = ("--time", "0", "--ignore") if self.kind == "podman" else ()
        self._call("rm", "--force", "--volumes", *at_once, self.name)

    def _call(
        self, *arguments: str, bound_seconds: float | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [self._program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=self._environment,
            process_group=0,
            timeout=bound_seconds,
            check=False,
        )


class Signals:
    """What this process is sent, on its way to the container."""

    def __init__(self, client: Client, grace_seconds: float) -> None:
        self.heard: list[int] = []
        self._client = client
        self._grace_seconds = max(grace_seconds, LEAST_GRACE_SECONDS)
        self._child: subprocess.Popen[bytes] | None = None

    def listen(self) -> None:
        """Hear signals from now on; those that come too early are kept."""
        signal.signal(signal.SIGALRM, self._lose_patience)
        for each in PASSED_ON:
            signal.signal(each, self._pass_on)

    def pass_to(self, child: subprocess.Popen[bytes]) -> None:
        """The client is there: it gets what was heard so far, and whatever comes."""
        self._child = child
        for signum in self.heard:
            child.send_signal(signum)

    def rest(self) -> None:
        """The client has ended: there is nobody to be impatient with."""
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _pass_on(self, signum: int, _frame: object) -> None:
        self.heard.append(signum)
        if self._child is None:
            return
        if signum in ASKS_TO_END:
            if not signal.getitimer(signal.ITIMER_REAL)[0]:
                signal.setitimer(signal.ITIMER_REAL, self._grace_seconds)
            wanted = self._client.let_go_on()
            signum = wanted if self.heard == [signum] else signum
        with contextlib.suppress(ProcessLookupError):
            self._child.send_signal(signum)

    def _lose_patience(self, _signum: int, _frame: object) -> None:
        self._client.kill()


def parse_signal(text: str) -> int:
    """A signal as images name it, by number or name; SIGTERM where they name none that there is."""
    text = text.strip().upper().removeprefix("SIG")
    if text.isdigit():
        return int(text)
    name, _, more = text.partition("+")
    found = getattr(signal, f"SIG{name}", None)
    return found + int(more or 0) if isinstance(found, signal.Signals) else signal.SIGTERM


def split_environment(environment: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """What is the client's own, and what the container is given."""
    own = {k: v for k, v in environment.items() if not k.startswith(VARIABLE_PREFIX)}
    given = {
        name.removeprefix(VARIABLE_PREFIX): value
        for name, value in environment.items()
        if name.startswith(VARIABLE_PREFIX)
    }
    return own, given


def hand_over(
    given: dict[str, str], own: dict[str, str], file: Path
) -> tuple[list[str], dict[str, str]]:
    """The client's arguments for the variables, and its environment; the file is written."""
    lines, passed = [], {}
    for name, value in given.items():
        if "\n" in value or "\r" in value or len(os.fsencode(value)) > MAX_LINE:
            passed[name] = value
        else:
            lines.append(f"{name}={value}\n")
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as target:
        target.writelines(lines)
    arguments = ["--env-file", str(file)]
    for name in passed:
        arguments += ["--env", name]
    return arguments, {**own, **passed}


def make_volumes(client: Client, data: Path, options: list[str], image: str) -> list[str]:
    """The options, once every directory of ours that is to be a volume is there and its user may use it."""
    made = list(options)
    places = [index + 1 for index, word in enumerate(options) if word == "--volume"]
    ours = [
        place for place in places if Path(options[place].partition(":")[0]).is_relative_to(data)
    ]
    for place in ours:
        Path(options[place].partition(":")[0]).mkdir(mode=0o700, parents=True, exist_ok=True)
    if (
        not ours
        or "--user" in options
        or client.ask_image(image, "{{.Config.User}}").partition(":")[0] in ROOT
    ):
        return made
    for place in ours:
        host, inside, *how = options[place].split(":")
        if client.kind == "podman":
            # It gives the directory to whom the image runs as.
            made[place] = ":".join((host, inside, ",".join((*how, "U"))))
        else:
            Path(host).chmod(OPEN_TO_ALL)
    return made


def note_process(client: Client, records: Records, child: subprocess.Popen[bytes]) -> None:
    """Write down the container's process, for a client that does not do it itself."""
    while child.poll() is None:
        if records.container.exists():
            number = client.ask("{{.State.Pid}}")
            if number.isdigit() and int(number):
                records.process.write_text(number, encoding="ascii")
                return
        time.sleep(LOOK_SECONDS)


def find_foreign_machine(architecture: str) -> str:
    """What is in the way of an image's programs, in words; empty: nothing, as far as can be seen.

    Args:
        architecture: of the image, as images say it.
    """
    own = MACHINES.get(os.uname().machine, ())
    if not own or not architecture or architecture in own:
        return ""
    with contextlib.suppress(OSError):
        if any(each.name.startswith(("qemu-", "rosetta")) for each in EMULATORS.iterdir()):
            return ""
    return f"is for {architecture}, and this machine is {own[0]}"


def explain_end(client: Client, records: Records, code: int, limit: str, image: str) -> str:
    """Why a container ended, where its exit code does not say it; the limit is that of its memory, empty without one."""
    if code != EXIT_KILLED:
        if not code or not client.notes_process:
            return ""
        foreign = find_foreign_machine(client.ask_image(image, "{{.Architecture}}"))
        return f"exited with code {code}: its image {foreign}" if foreign else ""
    if records.lacked_memory or client.ask("{{.State.OOMKilled}}") == "true":
        return "was killed because it needed more memory than its limit"
    # Not every Podman notices.
    doubt = f"was killed (SIGKILL); it may have needed more memory than its limit, {limit}"
    return doubt if limit else ""


def note_end(records: Records, ending: str) -> None:
    """Write down and say why it ended, where there is something to say."""
    if ending:
        records.ending.write_text(json.dumps({"reason": ending}), encoding="utf-8")
        sys.stderr.write(f"the container {ending}\n")
    else:
        records.ending.unlink(missing_ok=True)


def main(words: list[str]) -> int:
    """Run the container to its end; the exit code is the container's."""
    kind, program, name, directory, data, grace, count, *rest = words
    options, (image, *arguments) = rest[: int(count)], rest[int(count) :]
    records = Records(Path(directory), name)
    own, given = split_environment(dict(os.environ))
    client = Client(kind, program, name, own)
    signals = Signals(client, float(grace))
    os.umask(0o077)
    signals.listen()
    try:
        Path(directory).mkdir(mode=0o700, parents=True, exist_ok=True)
        records.take_turn()
        records.clear()
        records.work.mkdir(mode=0o700)
        extra, environment = hand_over(given, own, records.variables)
        options = make_volumes(client, Path(data), options, image)
        options += [*client.take_name(), "--cidfile", str(records.container), *extra]
        if client.notes_process:
            options += ["--pidfile", str(records.process)]
        if signals.heard:
            return 128 + signals.heard[0]
        child = Client(kind, program, name, environment).run(
            [*options, "--", image, *arguments], records.work
        )
        signals.pass_to(child)
        if not client.notes_process:
            note_process(client, records, child)
        code = child.wait()
        signals.rest()
        code = code if code >= 0 else 128 - code
        limit = options[options.index("--memory") + 1] if "--memory" in options else ""
        note_end(records, "" if signals.heard else explain_end(client, records, code, limit, image))
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        sys.stderr.write(f"Error: cannot run {program}{where}: {error.strerror}\n")
        return EXIT_CANNOT_START
    finally:
        with contextlib.suppress(OSError):
            client.remove()
        with contextlib.suppress(OSError):
            records.clear()
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
