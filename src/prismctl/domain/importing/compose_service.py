"""One service of a compose file, key by key."""

from __future__ import annotations

import posixpath
import re
import shlex
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.host_port import PortProtocol
from prismctl.domain.importing.amounts import parse_go_duration, write_duration
from prismctl.domain.importing.compose_limits import ComposeLimits
from prismctl.domain.importing.compose_volumes import ComposeVolumes
from prismctl.domain.importing.draft import Draft, DraftPort
from prismctl.domain.importing.health import translate_check
from prismctl.domain.importing.images import guess_type
from prismctl.domain.importing.ports import MAX_RANGE, Mapped, PortError, parse_port, read_port
from prismctl.domain.importing.unsupported import DEPLOY, KNOWN_SERVICE_KEYS, reason_for
from prismctl.domain.importing.variables import parse_dotenv
from prismctl.domain.problems import nearest_name
from prismctl.domain.shape import LARGEST_PORT, PORT_NAME_PATTERN, VARIABLE_PATTERN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from prismctl.domain.document import Path
    from prismctl.domain.importing.reading import Reading
    from prismctl.domain.service import ServiceName

_RESTARTS: Final = ("always", "unless-stopped", "on-failure")


class ComposeService:
    """Translates one service; what it cannot take over is told with its place."""

    def __init__(
        self, reading: Reading, path: Path, form: dict[Any, Any], name: ServiceName
    ) -> None:
        self.reading = reading
        self.path = path
        self.form = form
        self.draft = Draft(source_name=str(path[-1]), name=name, place=reading.place(path))

    def translate(self) -> Draft:
        """The draft, with everything in it that stands in the service itself."""
        limits = ComposeLimits(self.reading, self.draft)
        handlers: Mapping[str, Callable[[Any, Path], None]] = {
            "image": self._image,
            "build": self._build,
            "command": self._command,
            "environment": self._environment,
            "env_file": self._env_file,
            "ports": self._ports,
            "expose": self._expose,
            "volumes": ComposeVolumes(self.reading, self.draft).translate,
            "depends_on": self._depends_on,
            "links": self._links,
            "healthcheck": self._healthcheck,
            "working_dir": self._working_dir,
            "deploy": self._deploy,
            "mem_limit": limits.memory_limit,
            "mem_reservation": limits.memory_reservation,
            "cpus": limits.cpus,
            "scale": limits.replicas,
            "profiles": self._profiles,
            "restart": self._restart,
            "stop_grace_period": self._stop_grace,
            "container_name": self._alias,
            "hostname": self._alias,
            "networks": self._networks,
            "logging": self._logging,
        }
        # What a file of variables says yields to what the service says, wherever each of them stands.
        order = sorted(self.form, key=lambda key: key != "env_file")
        for key in order:
            where = (*self.path, key)
            handler = handlers.get(str(key))
            if handler is not None:
                handler(self.form[key], where)
            elif not str(key).startswith("x-"):
                self._leave_out(str(key), self.form[key], where)
        if not self.draft.container and "image" not in self.form and "build" not in self.form:
            words = ", and what it `extends` is not looked at" if "extends" in self.form else ""
            self.reading.problem(self.path, f"has neither `image` nor `build`{words}")
        return self.draft

    def _leave_out(self, key: str, value: object, where: Path) -> None:
        if value in (None, False, [], {}):
            return
        if key not in KNOWN_SERVICE_KEYS:
            suggestion = nearest_name(key, KNOWN_SERVICE_KEYS)
            hint = f"; did you mean `{suggestion}`?" if suggestion else ""
            self.reading.left_out(where, key, f"compose knows no such key{hint}")
            return
        self.reading.left_out(where, key, reason_for(key))

    # What runs.

    def _image(self, value: object, where: Path) -> None:
        image = self.reading.text(value, where).strip()
        if not image:
            self.reading.problem(where, "image is empty")
            return
        self.draft.container = image
        self.draft.type = guess_type(image)

    def _build(self, value: object, where: Path) -> None:
        context = value.get("context", ".") if isinstance(value, dict) else value
        directory = context if isinstance(context, str) else "."
        has_image = isinstance(self.form.get("image"), str)
        image = str(self.form["image"]) if has_image else self._image_of_build()
        if not has_image:
            self.draft.container = image
        self.reading.left_out(
            where,
            "build",
            f"images are not built: `podman build -t {image} {shlex.quote(directory)}` gives the image that is named",
        )

    def _image_of_build(self) -> str:
        project = re.sub(r"[^a-z0-9_-]", "", self.reading.around.project.lower()) or "project"
        return f"localhost/{project}-{self.draft.name}:latest"

    def _command(self, value: object, where: Path) -> None:
        if value is None:
            return
        self.draft.args_place = self.reading.place(where)
        if isinstance(value, list):
            self.draft.args = [
                self.reading.text(each, (*where, index)) for index, each in enumerate(value)
            ]
            return
        written = self.reading.scalar(value, where)
        if written is None:
            return
        try:
            words = shlex.split(written)
        except ValueError as error:
            self.reading.problem(where, f"command cannot be split into words: {str(error).lower()}")
            return
        self.draft.args = [self.reading.translated(word, where) for word in words]

    def _working_dir(self, value: object, where: Path) -> None:
        directory = self.reading.text(value, where)
        if directory and not directory.startswith(("/", "${")):
            self.reading.left_out(where, "working_dir", f"`{directory}` is no absolute path")
            return
        self.draft.working_directory = directory

    # What it is told.

    def _environment(self, value: object, where: Path) -> None:
        for key, given, path in self._pairs(value, where):
            self._set(key, given, path, where)
            self.draft.env_files.pop(key, None)

    def _pairs(self, value: object, where: Path) -> Iterator[tuple[str, str | None, Path]]:
        """Keys with their values, ``None`` for one that is passed through from the shell."""
        reading = self.reading
        if isinstance(value, dict):
            for key, each in value.items():
                path = (*where, key)
                yield str(key), None if each is None else reading.scalar(each, path), path
            return
        for index, each in enumerate(reading.items(value, where)):
            path = (*where, index)
            word = reading.scalar(each, path)
            if word:
                key, equals, text = word.partition("=")
                yield key.strip(), text if equals else None, path

    def _set(self, key: str, given: str | None, path: Path, where: Path) -> None:
        if not re.fullmatch(VARIABLE_PATTERN, key):
            self.reading.left_out(
                path, str(where[-1]), f"`{key}` cannot be a variable (letters, digits and `_`)"
            )
            return
        if given is None:
            text = self.reading.translated(f"${{{key}}}", path)
        else:
            text = self.reading.translated(given, path, subject=f"environment {key}")
        self.draft.env[key] = text
        self.draft.env_places[key] = self.reading.place(path)

    def _env_file(self, value: object, where: Path) -> None:
        for index, each in enumerate(self.reading.items(value, where)):
            path = (*where, index) if isinstance(value, list) else where
            is_required = True
            if isinstance(each, dict):
                is_required = each.get("required") is not False
                each = each.get("path")  # noqa: PLW2901 - the long form names it
            name = self.reading.evaluated(each, path)
            if name:
                self._read_env_file(name, path, is_required=is_required)

    def _read_env_file(self, name: str, path: Path, *, is_required: bool) -> None:
        file = posixpath.join(self.reading.document.directory, name)
        text = self.reading.around.read_text(file)
        if text is None:
            if is_required:
                self.reading.left_out(path, "env_file", f"`{name}` is not there to be read")
            else:
                self.reading.changed(path, "env_file", f"`{name}` is not there, and need not be")
            return
        variables, strange = parse_dotenv(text)
        for key, given in variables.items():
            self._set(key, given, path, path)
            self.draft.env_files[key] = name
        self.reading.changed(
            path,
            "env_file",
            f"what `{name}` says now is written into `env`; later changes are not seen",
        )
        for number in strange:
            self.reading.left_out(path, "env_file", f"line {number} of `{name}` is no `NAME=value`")

    # Where it listens.

    def _ports(self, value: object, where: Path) -> None:
        for index, each in enumerate(self.reading.items(value, where)):
            path = (*where, index)
            try:
                mapped = self._read_port(each, path)
            except PortError as error:
                self.reading.problem(path, str(error))
                continue
            if len(mapped) > MAX_RANGE:
                self.reading.left_out(
                    path,
                    "ports",
                    f"a range of {len(mapped)} ports; at most {MAX_RANGE} are taken over",
                )
                continue
            if len(mapped) > 1:
                first, last = mapped[0].inside, mapped[-1].inside
                self.reading.changed(
                    path, "ports", f"the range {first}-{last} is {len(mapped)} ports"
                )
            for port in mapped:
                self._place_port(port, path)

    def _read_port(self, value: object, path: Path) -> list[Mapped]:
        if isinstance(value, dict):
            form = {
                key: self.reading.evaluated(each, (*path, key))
                for key, each in value.items()
                if each is not None
            }
            return read_port(form)
        word = self.reading.evaluated(value, path)
        return parse_port(word) if word else []

    def _place_port(self, port: Mapped, path: Path) -> None:
        reading = self.reading
        if port.protocol not in set(PortProtocol):
            words = f"{port.inside}/{port.protocol}: ports are TCP or UDP here"
            reading.left_out(path, "ports", words)
            return
        if port.is_open_to_others:
            reading.changed(path, "ports", f"listens on loopback only, not on {port.host}")
        name = port.name if re.fullmatch(PORT_NAME_PATTERN, port.name) else ""
        place, protocol = reading.place(path), PortProtocol(port.protocol)
        self.draft.add_port(DraftPort(port.inside, name, port.outside, place, protocol))

    def _expose(self, value: object, where: Path) -> None:
        for index, each in enumerate(self.reading.items(value, where)):
            path = (*where, index)
            word = self.reading.evaluated(each, path) or ""
            number, _, protocol = word.partition("/")
            is_known = (protocol or PortProtocol.TCP) in set(PortProtocol)
            if is_known and number.isdecimal() and 0 < int(number) <= LARGEST_PORT:
                known = PortProtocol(protocol or PortProtocol.TCP)
                self.draft.add_port(DraftPort(int(number), protocol=known))
            elif word:
                self.reading.left_out(path, "expose", f"`{word}` is no single TCP or UDP port")

    # What it needs.

    def _depends_on(self, value: object, where: Path) -> None:
        reading = self.reading
        if not isinstance(value, dict):
            for index, each in enumerate(reading.items(value, where)):
                self._need(reading.scalar(each, (*where, index)), (*where, index))
            return
        for target, form in value.items():
            path = (*where, target)
            self._need(str(target), path)
            conditions = reading.mapping(form, path)
            condition = conditions.get("condition", "service_started")
            if condition == "service_started":
                self.draft.awaited_starts.add(str(target))
            elif condition == "service_completed_successfully":
                self.draft.awaited_ends.append(str(target))
            elif condition == "service_healthy":
                self.draft.awaited_health.setdefault(str(target), reading.place(path))
            else:
                reading.problem((*path, "condition"), f"unknown condition `{condition}`")
            if conditions.get("required") is False:
                self.draft.optional.add(str(target))
            if conditions.get("restart") is True:
                words = f"is not restarted with {target}"
                reading.left_out(path, "depends_on", words)

    def _need(self, target: str | None, path: Path) -> None:
        if target == self.draft.source_name:
            self.reading.problem(path, "depends on itself")
        elif target:
            self.draft.depends_on.setdefault(target, self.reading.place(path))

    def _links(self, value: object, where: Path) -> None:
        for index, each in enumerate(self.reading.items(value, where)):
            path = (*where, index)
            target, _, alias = (self.reading.scalar(each, path) or "").partition(":")
            self._need(target, path)
            if alias and alias != target:
                words = f"`{alias}` is `{target}` here: write its reference where the alias stands"
                self.reading.left_out(path, "links", words)

    def _healthcheck(self, value: object, where: Path) -> None:
        reading = self.reading
        form = reading.mapping(value, where)

        def text(each: object, key: str | int) -> str:
            path = (*where, "test", key) if isinstance(key, int) else (*where, key)
            return reading.text(each, path)

        self.draft.check_place = self.reading.place(where)
        self.draft.health_check = translate_check(
            form,
            text=text,
            problem=lambda key, words: reading.problem((*where, key), f"healthcheck {words}"),
            changed=lambda key, words: reading.changed((*where, key), f"healthcheck {key}", words),
        )

    # When it runs, and how it ends.

    def _deploy(self, value: object, where: Path) -> None:
        limits = ComposeLimits(self.reading, self.draft)
        for key, form in self.reading.mapping(value, where).items():
            path = (*where, key)
            if key == "replicas":
                limits.replicas(form, path)
            elif key == "resources":
                limits.resources(form, path)
            elif key == "restart_policy":
                self._restart(self.reading.mapping(form, path).get("condition", "any"), path)
            else:
                why = DEPLOY.get(str(key), "the catalog has nothing for it")
                self.reading.left_out(path, f"deploy.{key}", why)

    def _profiles(self, value: object, where: Path) -> None:
        names = [self.reading.written(each, where) for each in self.reading.items(value, where)]
        if names:
            words = (
                f"{', '.join(names)}: a service runs when it is chosen; `--with {self.draft.name}`, "
                "or a profile of prismctl that names it"
            )
            self.reading.changed(where, "profiles", words)

    def _restart(self, value: object, where: Path) -> None:
        word = (self.reading.scalar(value, where) or "no").partition(":")[0]
        if value is False or word in {"no", "none"}:
            self.reading.changed(
                where,
                "restart",
                "a service that ends is started again; `one_shot: true` lets it end",
            )
        elif word not in {*_RESTARTS, "any"}:
            self.reading.problem(where, f"unknown restart policy `{word}`")
        else:
            words = f"{word}: a service that ends is started again, a bounded number of times"
            self.reading.changed(where, "restart", words)

    def _stop_grace(self, value: object, where: Path) -> None:
        word = self.reading.evaluated(value, where) or ""
        seconds = parse_go_duration(word)
        if seconds is None or seconds > 24 * 3600:
            self.reading.problem(where, f"stop_grace_period `{word}` is no duration")
        else:
            self.draft.stop_grace = write_duration(seconds)

    # What others call it.

    def _alias(self, value: object, where: Path) -> None:
        word = self.reading.evaluated(value, where)
        if word and word != self.draft.source_name:
            self.draft.aliases.append(word)
            words = f"`{word}`: it is known as `{self.draft.name}`"
            self.reading.changed(where, str(where[-1]), words)

    def _logging(self, value: object, where: Path) -> None:
        if value:
            self.reading.changed(where, "logging", "`prismctl dev logs` has what is printed")

    def _networks(self, value: object, where: Path) -> None:
        if isinstance(value, dict):
            for name, form in value.items():
                path = (*where, name, "aliases")
                aliases = form.get("aliases") if isinstance(form, dict) else None
                for each in self.reading.items(aliases, path):
                    word = self.reading.written(each, path)
                    if word != self.draft.source_name:
                        self.draft.aliases.append(word)
        self.reading.changed(where, "networks", "all services reach each other over loopback")
