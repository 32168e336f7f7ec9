"""The pictures of the docs can be drawn again, and show what they are there for."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[2]
SHOWN = {
    "picker.svg": ["Prism Stack Builder", "[✓] redis", "$ prismctl dev start --preset=redis"],
    "picker-find.svg": ["find: sto", "memstore"],
    "picker-keys.svg": ["take a service in or out", "leave; nothing is started"],
    "picker-save.svg": ["orders"],
}


def words_of(picture: Path) -> str:
    text = picture.read_text(encoding="utf-8")
    ET.fromstring(text)  # noqa: S314 - drawn here
    # Spaces that a browser would fold are written as ones it does not.
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).replace("\xa0", " ").split())


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("images")
    script = ROOT / "scripts" / "draw_screens.py"
    subprocess.run([sys.executable, str(script), str(directory)], check=True)
    return directory


def test_each_screen_is_drawn_and_no_other(drawn: Path) -> None:
    assert {path.name for path in drawn.iterdir()} == set(SHOWN)
    assert {path.name for path in (ROOT / "docs" / "images").glob("picker*")} == set(SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_a_picture_shows_its_screen_and_asks_nobody_for_a_font(drawn: Path, name: str) -> None:
    for picture in (drawn / name, ROOT / "docs" / "images" / name):
        words = words_of(picture)
        assert all(each in words for each in SHOWN[name]), words
        assert not re.search(r"(?:src|href)\s*[:=]|url\(\s*[\"']?http", picture.read_text())
