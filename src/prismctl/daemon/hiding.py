"""Secrets in what a snapshot says: an error that a program or an engine worded may quote one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prismctl.domain.redaction import Redactor
    from prismctl.domain.snapshot import InstanceSnapshot, ServiceSnapshot, StackSnapshot


def hide_in_snapshot(snapshot: StackSnapshot, redactor: Redactor) -> StackSnapshot:
    """The snapshot with no secret in any reason, error or note."""
    if not redactor:
        return snapshot
    return replace(
        snapshot,
        services=tuple(_hide_in_service(each, redactor) for each in snapshot.services),
        notes=tuple(map(redactor.hide_text, snapshot.notes)),
    )


def _hide_in_service(service: ServiceSnapshot, redactor: Redactor) -> ServiceSnapshot:
    reasons = (
        service.reason,
        service.last_error or "",
        service.note,
        *(each.reason for each in service.instances),
    )
    if not any(reasons):
        return service
    return replace(
        service,
        reason=redactor.hide_text(service.reason),
        note=redactor.hide_text(service.note),
        last_error=service.last_error and redactor.hide_text(service.last_error),
        instances=tuple(_hide_in_instance(each, redactor) for each in service.instances),
    )


def _hide_in_instance(instance: InstanceSnapshot, redactor: Redactor) -> InstanceSnapshot:
    return (
        replace(instance, reason=redactor.hide_text(instance.reason))
        if instance.reason
        else instance
    )
