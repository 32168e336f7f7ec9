from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.domain.interpolation import (
    Addresses,
    Mistake,
    Surroundings,
    fill_own,
    has_own_references,
    holds_password,
    interpolate,
    takes_password,
)

AROUND = Surroundings(
    service="web",
    data="/data/web",
    services={
        "web": Addresses("127.0.0.1", {"http": 8080, "metrics": 9100}),
        "redis": Addresses("127.0.0.1", {"db": 6379}),
        "prism-admin": Addresses("127.0.0.1", {"grpc": 8981}),
        "portless": Addresses("127.0.0.1", {}),
    },
    full_name=lambda word: {"admin": "prism-admin"}.get(word, word),
    known_services=("web", "redis", "prism-admin", "portless", "postgres"),
    stack={"name": "default", "patterns": "/patterns"},
    variables={"HOME": "/home/ana", "EMPTY": "", "TRICKY": "${HOME} $${x}", "DATABASE_URL": "db"},
)


def replaced(text: str) -> str:
    mistakes: list[Mistake] = []
    result = interpolate(text, AROUND, mistakes)
    assert mistakes == []
    return result


def mistakes_in(text: str) -> list[Mistake]:
    mistakes: list[Mistake] = []
    interpolate(text, AROUND, mistakes)
    return mistakes


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${self.port}", "8080"),
        ("${self.ports.metrics}", "9100"),
        ("${self.host}:${self.port}", "127.0.0.1:8080"),
        ("${self.data}/x", "/data/web/x"),
        ("redis://${redis.host}:${redis.port}/0", "redis://127.0.0.1:6379/0"),
        ("${redis.ports.db}", "6379"),
        ("${admin.port}", "8981"),
        ("${stack.name}", "default"),
        ("${HOME}", "/home/ana"),
        ("${MISSING:-fallback}", "fallback"),
        ("${EMPTY:-fallback}", "fallback"),
        ("${EMPTY}", ""),
        ("${MISSING:-}", ""),
        ("${postgres.port:-5432}", "5432"),
        ("${MISSING:-a:-b}", "a:-b"),
        ("$${HOME}", "${HOME}"),
        ("$$${HOME}", "$${HOME}"),
        ("costs $5 and $HOME and $$", "costs $5 and $HOME and $$"),
        ("${TRICKY}", "${HOME} $${x}"),
    ],
)
def test_references_are_replaced_once(text: str, result: str) -> None:
    assert replaced(text) == result


@pytest.mark.parametrize(
    ("text", "message", "suggestion"),
    [
        ("${DATABSE_URL}", "variable `DATABSE_URL` is not set", "DATABASE_URL"),
        ("${rdeis.port}", "unknown service `rdeis`", "redis"),
        ("${postgres.port}", "needs postgres, which is not in this stack", ""),
        ("${self.prot}", "unknown reference `self.prot`", "self.port"),
        ("${self.ports.htp}", "unknown reference `self.ports.htp`", "self.ports.http"),
        ("${redis.data}", "unknown reference `redis.data`", ""),
        ("${portless.port}", "the service has no port", ""),
        ("${stack.pattern}", "unknown reference `stack.pattern`", "stack.patterns"),
        ("${HOME", "is not closed", ""),
        ("${}", "names nothing", ""),
        ("${a b}", "names nothing", ""),
    ],
)
def test_a_reference_that_means_nothing_is_a_mistake_with_the_nearest_name(
    text: str, message: str, suggestion: str
) -> None:
    (mistake,) = mistakes_in(text)
    assert message in mistake.message
    assert mistake.suggestion == suggestion


def test_all_mistakes_of_a_text_are_found() -> None:
    assert len(mistakes_in("${NO} ${no.port} ${self.no}")) == 3


@given(st.text().filter(lambda text: "${" not in text))
def test_a_text_without_references_stays_as_it_is(text: str) -> None:
    assert replaced(text) == text


PIECES = st.sampled_from(
    (
        *("${self.port}", "${self.ports.metrics}", "${self.data}", "${self.host}", "${TRICKY}"),
        *("$${", "$", "{", "}", "a", "${redis.port}", "${NO:-d}", "${self.port:-1}"),
        "$${self.port}",
    )
)


@given(st.lists(PIECES, max_size=8).map("".join))
def test_a_template_filled_for_the_first_instance_is_the_text_itself(text: str) -> None:
    mistakes: list[Mistake] = []
    direct = interpolate(text, AROUND, mistakes)
    template = interpolate(text, AROUND, [], keeps_own=True)
    if not mistakes:
        filled = fill_own(template, ports=AROUND.services["web"].ports, data=AROUND.data)
        assert filled == direct


def test_another_instance_gets_its_own_ports_and_data_and_nothing_else() -> None:
    text = "--port ${self.port} --dir ${self.data} --redis ${redis.port} --text $${self.port}"
    template = interpolate(text, AROUND, [], keeps_own=True)
    filled = fill_own(template, ports={"http": 1, "metrics": 2}, data="/data/web-1")
    assert filled == "--port 1 --dir /data/web-1 --redis 6379 --text ${self.port}"


@pytest.mark.parametrize(
    ("text", "is_own"),
    [("${self.port}", True), ("$${self.port}", False), ("${redis.port}", False), ("x", False)],
)
def test_only_references_to_itself_make_instances_differ(text: str, *, is_own: bool) -> None:
    assert has_own_references(text) is is_own


def test_a_password_is_put_in_only_where_nobody_else_can_read_it() -> None:
    trusted = AROUND._replace(passwords=lambda name: f"pass-{name}" if name == "redis" else None)
    mistakes: list[Mistake] = []
    assert interpolate("x:${redis.password}", trusted, mistakes) == "x:pass-redis"
    assert mistakes == []
    interpolate("${web.password}", trusted, mistakes)
    interpolate("${redis.password}", AROUND, mistakes)
    assert "web takes no password" in mistakes[0].message
    assert "could be read by others" in mistakes[1].message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${self.password}", (True, True)),
        ("a ${self.password:-b} c", (True, True)),
        ("${redis.password}", (True, False)),
        ("$${self.password}", (False, False)),
        ("${password}", (False, False)),
        ("${self.port}", (False, False)),
        ("password", (False, False)),
    ],
)
def test_texts_with_passwords_are_known(text: str, expected: tuple[bool, bool]) -> None:
    assert (holds_password(text), takes_password([text])) == expected
