from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = (ROOT / "src" / "prismctl", ROOT)
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
NAMED = re.compile(
    r"`((?:[a-z_]+/)+(?:[a-z_0-9-]+\.[a-z]+)?|[a-z_]+/?[a-z_]+\.py|pyproject\.toml)`"
)
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def read_prose(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def find_anchors(page: Path) -> set[str]:
    headings = HEADING.findall(read_prose(page))
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def find_broken_links(page: Path) -> list[str]:
    broken = []
    for link in LINK.findall(read_prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        is_page = target.suffix == ".md"
        if not target.exists() or (anchor and is_page and anchor not in find_anchors(target)):
            broken.append(link)
    return broken


def find_missing_paths(text: str) -> list[str]:
    missing = []
    for row in (line for line in text.splitlines() if line.startswith("|")):
        names = NAMED.findall(row)
        # What follows a folder in the same row may be meant to be in it.
        bases = [*SOURCES, *(source / name for source in SOURCES for name in names)]
        missing += [name for name in names if not any((base / name).exists() for base in bases)]
    return missing


def is_page_known(page: Path) -> bool:
    index = ROOT / "docs" / "README.md"
    targets = [
        (index.parent / link.partition("#")[0]).resolve()
        for link in LINK.findall(read_prose(index))
    ]
    return page in targets or page.parent in targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert find_broken_links(page) == []


def test_a_broken_link_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Top\n[a](gone.md) [b](#top) [c](#gone) [d](page.md#top) [e](https://example.org)\n",
        encoding="utf-8",
    )
    assert find_broken_links(page) == ["gone.md", "#gone"]


def test_every_path_in_a_table_of_the_architecture_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert find_missing_paths(text) == []
    assert len(NAMED.findall(text)) > 20


def test_a_path_that_does_not_exist_would_be_found() -> None:
    assert find_missing_paths("| x | `domain/gone.py` and `nowhere/` | `errors.py` |") == [
        "domain/gone.py",
        "nowhere/",
    ]


@pytest.mark.parametrize(
    "page", sorted((ROOT / "docs").rglob("*/*.md")), ids=lambda page: str(page.relative_to(ROOT))
)
def test_every_page_is_reached_from_the_index(page: Path) -> None:
    assert is_page_known(page)


def test_no_file_names_a_place_on_one_machine() -> None:
    listed = subprocess.run(
        [
            "git",
            "grep",
            "-nIE",
            r"(^|[\s\"'`=(])/(work|home/[a-z]+|Users)/",
            "--",
            ":!tests",
            ":!uv.lock",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert listed.stdout == ""
