"""Saving profiles: what is read back, what stays of what was there, and what is refused."""

from __future__ import annotations

import json
import os
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prismctl.domain.offering import Catalog
from prismctl.domain.packaged import PACKAGED
from prismctl.domain.problems import Problems
from prismctl.domain.selection import Layer, select_services
from prismctl.domain.servers.registry import SERVERS
from prismctl.errors import ConfigError, PrismError
from prismctl.files.paths import Home
from prismctl.files.profile_schema import (
    SCHEMA_FILE_NAME,
    ensure_profile_schema,
    profile_schema,
)
from prismctl.files.profile_uses import find_last_use, forget_use, record_use
from prismctl.files.profile_writing import (
    copy_profile,
    draft_profile,
    plain_config,
    save_profile,
    write_profile,
)
from prismctl.files.profiles import Profile, apply_profile, load_profile

GOLDEN = Path(__file__).parent / "golden"
CATALOG = Catalog(services=PACKAGED, file="services.yaml", is_generated=True)
MODELINE = "# yaml-language-server: $schema=./profile.schema.json\n"

WRITTEN = """\
# ours
description: Redis backend with NATS messaging  # as agreed
services: # all of it
  - admin
  - launcher
  # the cache
  - redis  # 7
  - nats

# measured in May
config:
  redis:
    memory_mb: 512  # enough
  nats: {jetstream: true}
x-owner: platform
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def put(home: Home, name: str, text: str) -> Path:
    home.profiles.mkdir(parents=True, exist_ok=True)
    file = home.profiles / f"{name}.yaml"
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    return file


def problems(error: ConfigError) -> list[str]:
    return [
        f"{each.line}:{each.column} {each.message}|{each.suggestion}" for each in error.problems
    ]


def test_a_new_profile_is_what_somebody_would_have_written(home: Home) -> None:
    file = save_profile(
        home,
        "my-redis-setup",
        services=["prism-admin", "redis", "nats"],
        description="Redis backend with NATS messaging",
        config={"redis": {"memory_mb": 512, "persist": True}, "nats": {"jetstream": True}},
        catalog=CATALOG,
    )
    assert file == home.profiles / "my-redis-setup.yaml"
    assert file.read_text() == (
        f"{MODELINE}"
        "name: my-redis-setup\n"
        "description: Redis backend with NATS messaging\n"
        "services:\n"
        "  - prism-admin\n"
        "  - redis\n"
        "  - nats\n"
        "config:\n"
        "  redis:\n"
        "    memory_mb: 512\n"
        "    persist: true\n"
        "  nats:\n"
        "    jetstream: true\n"
    )


def test_what_is_written_is_private_and_has_its_schema_beside_it(home: Home) -> None:
    file = save_profile(home, "mine", services=["redis"])
    schema = home.profiles / SCHEMA_FILE_NAME
    assert json.loads(schema.read_text()) == profile_schema()
    assert [each.stat().st_mode & 0o777 for each in (file, schema)] == [0o600, 0o600]
    assert [each.stat().st_mode & 0o777 for each in (home.directory, home.profiles)] == [0o700] * 2
    assert sorted(each.name for each in home.profiles.iterdir()) == [
        "mine.yaml",
        "profile.schema.json",
    ]


def test_the_schema_of_another_version_is_replaced(home: Home) -> None:
    save_profile(home, "mine", services=["redis"])
    schema = home.profiles / SCHEMA_FILE_NAME
    schema.write_text("{}")
    save_profile(home, "other", services=["redis"])
    assert json.loads(schema.read_text()) == profile_schema()


def test_a_profile_that_was_copied_to_another_home_named_a_schema_that_was_not_there(
    home: Home,
) -> None:
    ensure_profile_schema(home)
    assert not home.profiles.exists()
    home.profiles.mkdir(parents=True)
    ensure_profile_schema(home)
    assert list(home.profiles.iterdir()) == []
    (home.profiles / "team.yaml").write_text(MODELINE + WRITTEN, encoding="utf-8")
    ensure_profile_schema(home)
    assert json.loads((home.profiles / SCHEMA_FILE_NAME).read_text()) == profile_schema()


def test_a_selection_saved_after_a_profile_was_chosen_lost_its_settings_and_comments(
    home: Home,
) -> None:
    home.profiles.mkdir(parents=True)
    tuned = home.profiles / "tuned.yaml"
    tuned.write_text(MODELINE + "persist: true\n" + WRITTEN, encoding="utf-8")
    origin = load_profile(home, "tuned")
    services = [CATALOG.full_name(word) for word in origin.services]
    file = copy_profile(home, "tuned2", origin=origin, services=services, catalog=CATALOG)
    copied = load_profile(home, "tuned2")
    assert (copied.description, copied.persist) == (origin.description, True)
    assert copied.config == origin.config
    assert "# measured in May" in file.read_text(encoding="utf-8")


def test_over_an_existing_one_comments_config_and_description_stay(home: Home) -> None:
    file = put(home, "mine", WRITTEN)
    names = ["prism-admin", "pattern-launcher", "redis", "kafka"]
    save_profile(home, "mine", services=names, catalog=CATALOG)
    text = file.read_text()
    assert text == MODELINE + WRITTEN.replace("description:", "name: mine\ndescription:").replace(
        "  - nats\n", "  - kafka\n"
    )


def test_what_is_given_takes_the_place_of_what_is_there(home: Home) -> None:
    file = put(home, "mine", WRITTEN)
    save_profile(
        home,
        "mine",
        services=["redis"],
        description="mine alone",
        persist=True,
        config={"redis": {"memory_mb": 64}},
        catalog=CATALOG,
    )
    profile = load_profile(home, "mine")
    assert (profile.services, profile.description, profile.persist) == (
        ("redis",),
        "mine alone",
        True,
    )
    assert profile.config == {"redis": {"memory_mb": 64}}
    text = file.read_text()
    for comment in ("# ours", "# as agreed", "# 7", "# measured in May", "# enough"):
        assert comment in text


def test_nothing_new_changes_nothing(home: Home) -> None:
    save_profile(home, "mine", services=["redis"], description="x", persist=True)
    draft = draft_profile(home, "mine", services=["redis"], description="x", persist=True)
    assert not draft.is_change
    assert not draft.is_new


def test_a_description_and_a_config_can_be_taken_away(home: Home) -> None:
    file = put(home, "mine", WRITTEN)
    save_profile(home, "mine", services=["redis"], description="", config={})
    profile = load_profile(home, "mine")
    assert (profile.description, profile.config) == ("", {})
    assert "x-owner: platform" in file.read_text()


def test_a_copy_of_another_profile_keeps_its_comments_and_says_its_own_name(
    home: Home, tmp_path: Path
) -> None:
    team = tmp_path / "team.yaml"
    team.write_text(f"# yaml-language-server: $schema=../x.json\nname: team\n{WRITTEN}")
    origin = load_profile(home, str(team))
    draft = draft_profile(home, "mine", services=None, origin=origin, catalog=CATALOG)
    write_profile(home, draft)
    assert draft.file.read_text() == f"{MODELINE}name: mine\n{WRITTEN}"


def test_what_a_profile_changes_means_the_same_elsewhere(home: Home, tmp_path: Path) -> None:
    team = tmp_path / "team" / "team.yaml"
    team.parent.mkdir()
    team.write_text(
        "services: [redis]\nconfig:\n  redis:\n"
        "    volumes: ['./data:/data', 'named:/x']\n"
        "    env: {VERSION: 1.10, EMPTY: , MODE: 0x10}\n"
        "    args: [--port, 0777]\n"
        "    memory_mb: 0x40\n"
    )
    config = plain_config(load_profile(home, str(team)))
    assert config == {
        "redis": {
            "volumes": [f"{team.parent}/data:/data", "named:/x"],
            "env": {"VERSION": "1.10", "EMPTY": "", "MODE": "0x10"},
            "args": ["--port", "0777"],
            "memory_mb": 64,
        }
    }
    save_profile(home, "mine", services=["redis"], config=config)
    assert (
        apply_profile(CATALOG, load_profile(home, "mine")).services
        == apply_profile(CATALOG, load_profile(home, str(team))).services
    )


def test_mistakes_are_told_with_their_place_and_nothing_is_written(home: Home) -> None:
    with pytest.raises(ConfigError) as raised:
        save_profile(
            home,
            "mine",
            services=["redis", "nast"],
            config={"rdeis": {"persist": True}, "redis": {"jetstream": True}},
            catalog=CATALOG,
        )
    assert problems(raised.value) == [
        "5:5 unknown service `nast`|nats",
        "7:3 unknown service `rdeis`|redis",
        "10:5 redis: jetstream is for nats only|",
    ]
    with pytest.raises(ConfigError, match="unknown key `memroy_mb`") as raised:
        save_profile(home, "mine", services=["redis"], config={"redis": {"memroy_mb": 1}})
    assert raised.value.problems[0].suggestion == "memory_mb"
    assert raised.value.hint == "nothing was written"
    assert not home.directory.exists()


def test_an_existing_one_with_mistakes_is_not_written_over(home: Home) -> None:
    file = put(home, "mine", "servics: [redis]\n")
    with pytest.raises(ConfigError, match=r"mine.yaml:1:1: unknown key `servics`"):
        save_profile(home, "mine", services=["redis"])
    assert file.read_text() == "servics: [redis]\n"


def test_an_edit_in_between_is_not_lost(home: Home) -> None:
    file = put(home, "mine", WRITTEN)
    draft = draft_profile(home, "mine", services=["redis"])
    file.write_text("services: [kafka]\n")
    with pytest.raises(PrismError, match="was changed meanwhile; nothing was written"):
        write_profile(home, draft)
    assert file.read_text() == "services: [kafka]\n"


def test_a_link_leads_to_what_is_written(home: Home, tmp_path: Path) -> None:
    team = tmp_path / "team.yaml"
    team.write_text("services: [redis]\n")
    team.chmod(0o644)
    home.profiles.mkdir(parents=True)
    (home.profiles / "team.yaml").symlink_to(team)
    save_profile(home, "team", services=["nats"])
    assert (home.profiles / "team.yaml").is_symlink()
    assert load_profile(home, str(team)).services == ("nats",)
    assert team.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    "name", ["../x", "", "a/b", ".hidden", "x" * 64, "a\nb", "Mine", "-x", "a b", "ä"]
)
def test_a_profile_cannot_be_called_anything(home: Home, name: str) -> None:
    with pytest.raises(ConfigError, match="is impossible: small letters, digits"):
        save_profile(home, name, services=["redis"])
    assert not home.directory.exists()


@pytest.mark.parametrize("name", ["team.yaml", "team.yml"])
def test_a_name_that_would_later_be_taken_for_a_file_is_refused(home: Home, name: str) -> None:
    with pytest.raises(ConfigError, match="it would name a file") as raised:
        save_profile(home, name, services=["redis"])
    assert raised.value.hint == "write `team`"


@pytest.mark.parametrize("word", ["42", "1e3", "true", "null", "0x1f", "no", "plain"])
def test_a_name_that_looks_like_a_number_reads_back_as_a_name(home: Home, word: str) -> None:
    save_profile(home, word, services=[word], config={word: {"persist": True}})
    profile = load_profile(home, word)
    assert profile.services == (word,)
    assert list(profile.config) == [word]


NAMES = st.lists(st.sampled_from(list(PACKAGED)), unique=True, min_size=1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
CONFIGS = st.dictionaries(
    st.sampled_from(["redis", "kafka", "memstore"]),
    st.fixed_dictionaries(
        {},
        optional={
            "memory_mb": st.integers(64, 4096),
            "persist": st.booleans(),
            "env": st.dictionaries(st.sampled_from(["A", "B_1"]), TEXTS),
        },
    ),
)


def select(services: tuple[str, ...]) -> Any:
    found = Problems()
    selection = select_services(CATALOG, [Layer("profile", services)], problems=found)
    found.raise_if_any()
    return selection.sources.keys()


# Each example waits for the disk several times.
@settings(deadline=None, max_examples=40)
@given(NAMES, TEXTS, st.booleans(), CONFIGS, NAMES | st.none())
def test_what_is_saved_is_loaded_and_starts_the_same_in_another_home(
    services: list[str],
    description: str,
    persist: bool,  # noqa: FBT001 - drawn
    config: dict[str, Any],
    before: list[str] | None,
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        home, other = Home(Path(directory) / "one"), Home(Path(directory) / "two")
        if before is not None:
            save_profile(home, "mine", services=before, description="x", config={"redis": {}})
        file = save_profile(
            home,
            "mine",
            services=services,
            description=description,
            persist=persist,
            config=config,
            catalog=CATALOG,
        )
        other.profiles.mkdir(parents=True)
        (other.profiles / "theirs.yaml").write_bytes(file.read_bytes())
        saved, copied = load_profile(home, "mine"), load_profile(other, "theirs")
        for profile in (saved, copied):
            assert set(profile.services) == set(services)
            assert (profile.description, profile.persist) == (description, persist)
            assert profile.config == config
        assert select(copied.services) == select(tuple(services))
        assert (
            apply_profile(CATALOG, copied).services
            == apply_profile(
                CATALOG, Profile(name="x", config=config, document=saved.document)
            ).services
        )


def test_the_schema_is_the_golden_one() -> None:
    golden = json.loads((GOLDEN / SCHEMA_FILE_NAME).read_text(encoding="utf-8"))
    assert profile_schema() == golden


def test_the_schema_knows_the_keys_of_each_backend_and_no_others() -> None:
    config = profile_schema()["properties"]["config"]["anyOf"][0]
    every = {key for server in SERVERS.values() for key in server.settings}
    for server in SERVERS.values():
        properties = config["properties"][server.driver]["properties"]
        own = {*server.settings}
        assert own <= {*properties}
        assert not (every - own - {"memory_mb", "persist"}) & {*properties}
        for key in own:
            assert server.settings[key].default in properties[key].get("description", "") or (
                key == "persist"
            )


def test_uses_are_known_of_home_s_own_profiles_alone(home: Home, tmp_path: Path) -> None:
    file = save_profile(home, "mine", services=["redis"])
    assert find_last_use(home, "mine") is None
    record_use(home, tmp_path / "team.yaml")
    assert not home.cache.exists()
    record_use(home, file)
    os.utime(home.cache / "profile-uses" / "mine", (1000, 1000))
    assert find_last_use(home, "mine") == 1000
    record_use(home, file)
    assert (find_last_use(home, "mine") or 0) > 1000
    forget_use(home, "mine")
    assert find_last_use(home, "mine") is None
