from __future__ import annotations

from typing import Any

import pytest

from prismctl.present.standing import describe_standing
from prismctl.present.text import Tone


def status(*services: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"services": list(services), "components": {}, "waiting": None, "notes": [], **rest}


def service(name: str, state: str = "healthy", note: str = "", **rest: Any) -> dict[str, Any]:
    return {"name": name, "state": state, "note": note, "last_error": None, **rest}


def waiting(on: str, *behind: str, kind: str = "service") -> dict[str, Any]:
    return {"on": on, "type": kind, "reason": "no answer", "chain": [on, *behind]}


@pytest.mark.parametrize(
    ("document", "words", "tone"),
    [
        (status(service("web")), "", Tone.MUTED),
        (
            status(service("db", "failed", "exited with code 3"), service("web", "failed")),
            "db failed, and 1 more: exited with code 3",
            Tone.BAD,
        ),
        (status(components={"consul": "lost"}), "Consul is lost", Tone.BAD),
        (
            status(service("db", "healthy", "was killed by SIGKILL 3 s ago", alarm=True)),
            "db is healthy; was killed by SIGKILL 3 s ago",
            Tone.BAD,
        ),
        (
            status(
                service("db", "healthy", "was killed by SIGKILL 3 s ago", alarm=True),
                service("web", "unhealthy", "exited with code 3", alarm=True),
            ),
            "db is healthy; was killed by SIGKILL 3 s ago; 1 more went wrong",
            Tone.BAD,
        ),
        (
            status(service("db", "unhealthy", "answers HTTP 503")),
            "db is unhealthy: answers HTTP 503",
            Tone.BUSY,
        ),
        (
            status(waiting=waiting("db", "api", "web")),
            "everything waits for db: no answer  (behind it: api, web)",
            Tone.BUSY,
        ),
        (
            status(waiting=waiting("consul", kind="agent")),
            "everything waits for Consul: no answer",
            Tone.BUSY,
        ),
    ],
)
def test_what_is_wrong_comes_before_what_is_waited_for(
    document: dict[str, Any], words: str, tone: Tone
) -> None:
    assert describe_standing(document) == (words, tone)


def test_everything_waited_for_a_service_that_nothing_depends_on() -> None:
    words, _ = describe_standing(status(waiting=waiting("cron")))

    assert words == "waits for cron: no answer"
