"""The texts of one service with every `${…}` in them replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.domain.interpolation import (
    Addresses,
    Mistake,
    Surroundings,
    has_own_references,
    interpolate,
    takes_password,
)
from prismctl.domain.plan import EVERYWHERE, LOOPBACK, ServiceTemplate
from prismctl.domain.references import may_hold_password
from prismctl.domain.service import Runtime
from prismctl.domain.used_part import expand_home

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prismctl.domain.choice import RuntimeChoice
    from prismctl.domain.offering import Catalog
    from prismctl.domain.plan import Port
    from prismctl.domain.plan_options import PlanOptions
    from prismctl.domain.problems import Problems
    from prismctl.domain.service import HealthCheck, ServiceDefinition, ServiceName


class ServiceTexts:
    """Replaces the references in one service's texts, and takes note of those that mean nothing."""

    def __init__(
        self,
        name: ServiceName,
        data: str,
        *,
        catalog: Catalog,
        options: PlanOptions,
        ports: Mapping[ServiceName, Sequence[Port]],
        problems: Problems,
    ) -> None:
        """``data`` is the service's directory, ``ports`` what all services of the plan have."""
        self.name = name
        self.catalog = catalog
        self.options = options
        self.problems = problems
        self.password_of = options.password_of
        self.around = Surroundings(
            service=name,
            data=data,
            services={
                other: Addresses(
                    own[0].host if own else LOOPBACK, {port.name: port.number for port in own}
                )
                for other, own in {**options.neighbours, **ports}.items()
            },
            full_name=self.catalog.full_name,
            known_services=self.catalog.services,
            stack={"name": options.stack, "patterns": options.patterns_directory or data},
            variables=options.environment,
        )

    def look_from_inside(self, ports: Sequence[Port]) -> None:
        """From now on the service's own addresses are those inside its container."""
        own = Addresses(EVERYWHERE, {port.name: port.inner_number for port in ports})
        self.around = self.around._replace(services={**self.around.services, self.name: own})

    def preview(self, text: str) -> str:
        """One text, decided; its mistakes are told if it is used."""
        return interpolate(text, self.around, [])

    def settle(self, text: str, *path: str | int) -> str:
        """One text at its path in the entry, decided."""
        mistakes: list[Mistake] = []
        around = self._trusted if may_hold_password(path) else self.around
        result = interpolate(text, around, mistakes)
        for mistake in mistakes:
            self.problems.add(
                f"{self.name}: {mistake.message}",
                self.catalog.place(self.name, *path),
                suggestion=mistake.suggestion,
                hint=mistake.hint,
            )
        return result

    def template(
        self, definition: ServiceDefinition, check: HealthCheck | None, choice: RuntimeChoice
    ) -> ServiceTemplate | None:
        """What further instances are made from, when they differ from the first."""
        is_native = choice.runtime is Runtime.NATIVE
        command = (choice.program, *definition.command[1:]) if is_native else ()
        args = () if is_native else definition.args
        init = definition.init if is_native else ()
        check_command = definition.health_check.command if check and definition.health_check else ()
        files = definition.files if is_native else {}
        volumes = () if is_native else definition.volumes
        texts = (*command, *args, *init, *check_command, *definition.env.values())
        texts = (*texts, *files, *files.values(), *volumes)
        if not any(has_own_references(text) for text in texts):
            return None
        return ServiceTemplate(
            command=self._keep(command),
            args=self._keep(args),
            init=self._keep(init),
            check_command=self._keep(check_command),
            volumes=tuple(expand_home(each, self.options) for each in self._keep(volumes)),
            files=dict(
                zip(self._keep(tuple(files)), self._keep(tuple(files.values())), strict=True)
            ),
            env={
                key: interpolate(text, self._trusted, [], keeps_own=True)
                for key, text in definition.env.items()
            },
        )

    @property
    def _trusted(self) -> Surroundings:
        """For texts that nobody else can read."""
        return self.around._replace(passwords=self._find_password)

    def _find_password(self, name: str) -> str | None:
        definition = self.catalog.services[self.catalog.full_name(name)]
        return self.password_of(name) if takes_password(definition.env.values()) else None

    def _keep(self, texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(interpolate(text, self._trusted, [], keeps_own=True) for text in texts)
