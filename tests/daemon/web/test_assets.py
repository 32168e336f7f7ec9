from __future__ import annotations

import re
from pathlib import Path

import prismctl
from prismctl.daemon.web.assets import locked_page, read_asset

WEB = Path(prismctl.__file__).parent / "web"


def test_every_file_of_the_page_can_be_asked_for() -> None:
    hidden = {"locked.html"}
    for file in WEB.iterdir():
        path = "/" if file.name == "index.html" else f"/{file.name}"
        found = read_asset(path)
        assert (found is None) == (file.name in hidden), path
        assert found is None or found.body == file.read_bytes()


def test_what_a_module_imports_is_there() -> None:
    for file in WEB.glob("*.js"):
        for name in re.findall(r'from "\./(\w+\.js)"', file.read_text(encoding="utf-8")):
            assert read_asset(f"/{name}") is not None, f"{file.name} imports {name}"


def test_the_page_has_nothing_that_its_policy_forbids() -> None:
    for file in WEB.glob("*.html"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"\sstyle=|\son\w+=|<script>|<style|javascript:", text), file.name
        for address in re.findall(r'(?:src|href)="([^"]*)"', text):
            assert not re.match(r"https?:|//", address), address
    for file in WEB.glob("*.js"):
        text = file.read_text(encoding="utf-8")
        forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
        assert not re.search(forbidden, text), file.name


def test_what_modules_look_for_in_the_page_is_there() -> None:
    ids = set(re.findall(r'\sid="([\w-]+)"', (WEB / "index.html").read_text(encoding="utf-8")))
    for file in WEB.glob("*.js"):
        text = file.read_text(encoding="utf-8")
        wanted = set(re.findall(r'(?:getElementById|\bat)\("([\w-]+)"\)', text))
        assert wanted <= ids, f"{file.name}: {wanted - ids}"


def test_the_command_is_text_on_the_page_for_strangers() -> None:
    page = locked_page("prismctl dev dashboard --web --stack <b>")

    assert (page.status, page.headers) == (401, ())
    assert b"--stack &lt;b&gt;" in page.body
