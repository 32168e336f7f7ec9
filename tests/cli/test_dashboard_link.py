"""The link of the page in the browser: who is shown it, and what a browser is opened with."""

from __future__ import annotations

import json
import re
import shlex
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.present.banner import ready_banner
from tests.desk import read_to_end, words
from tests.free_ports import take_port

if TYPE_CHECKING:
    from tests.desk import Desk

CATALOG = """
core: false
services:
  - {name: web, command: sleep 1000, default: true}
"""
LINK = re.compile(r"http://localhost:\d+/\?t=[\w-]{43}")


def opened_links(desk: Desk) -> list[str]:
    file = desk.directory / "opened"
    return file.read_text().split() if file.exists() else []


@pytest.fixture
def browsing(desk: Desk) -> Desk:
    """A desk with a browser that only notes what it is opened with."""
    noted = shlex.quote(str(desk.directory / "opened"))
    browser = desk.directory / "browser.py"
    browser.write_text(f"import sys; open({noted!r}, 'a').write(sys.argv[1] + chr(10))")
    desk.environment["BROWSER"] = f"{sys.executable} {browser} %s"
    return desk


def test_a_start_on_a_terminal_ends_with_the_link(desk: Desk) -> None:
    shown = words(read_to_end(desk.terminal(desk.start(CATALOG))))

    assert LINK.search(shown)
    assert desk.lab.client.dashboard_link() in shown


def test_a_start_in_a_pipe_shows_nobody_the_token(desk: Desk) -> None:
    plain = desk.pipe(*desk.start(CATALOG))
    again = desk.pipe(*desk.start(CATALOG), "-o", "json")

    token = desk.lab.paths.dashboard_token.read_text().strip()
    for done in (plain, again):
        assert done.returncode == 0, done.stderr
        assert token not in done.stdout + done.stderr
    status = json.loads(desk.pipe("dev", "status").stdout)
    assert re.fullmatch(r"http://localhost:\d+/", status["endpoints"]["dashboard"])


def test_the_link_is_the_answer_in_a_pipe_too(desk: Desk) -> None:
    desk.pipe(*desk.start(CATALOG))

    link = desk.pipe("dev", "dashboard", "--web").stdout.strip()
    document = json.loads(desk.pipe("dev", "dashboard", "--web", "-o", "json").stdout)

    assert LINK.fullmatch(link)
    assert document == {"url": link}


def test_a_browser_is_opened_with_a_link_that_is_good_once(browsing: Desk) -> None:
    browsing.pipe(*browsing.start(CATALOG))

    shown = words(read_to_end(browsing.terminal(["dev", "dashboard", "--web"])))

    printed = LINK.search(shown)
    assert printed
    (opened,) = opened_links(browsing)
    assert LINK.fullmatch(opened)
    assert opened != printed[0], "its arguments can be read by everybody on the machine"


@pytest.mark.parametrize("flag", ["--print", "--no-input"])
def test_nothing_opens_where_that_is_not_wanted(browsing: Desk, flag: str) -> None:
    browsing.pipe(*browsing.start(CATALOG))

    shown = words(read_to_end(browsing.terminal(["dev", "dashboard", "--web", flag])))

    assert LINK.search(shown)
    assert opened_links(browsing) == []


def test_without_a_stack_there_is_no_link(desk: Desk) -> None:
    done = desk.pipe("dev", "dashboard", "--web")

    assert done.returncode == 4
    assert "prismctl dev start" in done.stderr


def test_the_port_of_the_settings_is_where_the_page_is(desk: Desk) -> None:
    port = take_port()
    desk.lab.home.mkdir(exist_ok=True, mode=0o700)
    (desk.lab.home / "config.yaml").write_text(f"ports:\n  dashboard: {port}\n")

    desk.pipe(*desk.start(CATALOG))

    assert desk.pipe("dev", "dashboard", "--web").stdout.startswith(f"http://localhost:{port}/?t=")


@pytest.mark.parametrize("is_on_terminal", [False, True])
def test_a_start_says_who_has_the_port_that_the_page_was_to_have(
    desk: Desk, *, is_on_terminal: bool
) -> None:
    with socket.create_server(("127.0.0.1", take_port())) as holder:
        port = holder.getsockname()[1]
        desk.lab.home.mkdir(exist_ok=True, mode=0o700)
        (desk.lab.home / "config.yaml").write_text(f"ports:\n  dashboard: {port}\n")
        said = said_by_a_start(desk, CATALOG, is_on_terminal=is_on_terminal)

    assert f"port {port} is taken" in said
    assert f"localhost:{port}/" not in said


@pytest.mark.parametrize("is_on_terminal", [False, True])
def test_a_start_says_which_service_wants_the_port_that_the_page_was_to_have(
    desk: Desk, *, is_on_terminal: bool
) -> None:
    port = take_port()
    command = '[python3, -m, http.server, --bind, 127.0.0.1, "${self.port}"]'
    catalog = f"{CATALOG}  - {{name: grafana, command: {command}, port: {port}, default: true}}\n"
    desk.lab.home.mkdir(exist_ok=True, mode=0o700)
    (desk.lab.home / "config.yaml").write_text(f"ports:\n  dashboard: {port}\n")

    said = said_by_a_start(desk, catalog, is_on_terminal=is_on_terminal)

    assert f"port {port} is grafana's" in said


def said_by_a_start(desk: Desk, catalog: str, *, is_on_terminal: bool) -> str:
    """All that a start said that went well."""
    if is_on_terminal:
        return words(read_to_end(desk.terminal(desk.start(catalog))))
    done = desk.pipe(*desk.start(catalog))
    assert done.returncode == 0, done.stderr
    page = desk.lab.client.status()["endpoints"]["dashboard"]
    assert f"web      {page} because port" in done.stdout + done.stderr
    assert "?t=" not in done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_service_that_is_added_has_the_port_of_the_page(desk: Desk) -> None:
    port = take_port()
    command = '[python3, -m, http.server, --bind, 127.0.0.1, "${self.port}"]'
    catalog = f"{CATALOG}  - {{name: grafana, command: {command}, port: {port}}}\n"
    desk.lab.home.mkdir(exist_ok=True, mode=0o700)
    (desk.lab.home / "config.yaml").write_text(f"ports:\n  dashboard: {port}\n")
    desk.pipe(*desk.start(catalog))
    assert f":{port}/" in desk.lab.client.dashboard_link()

    added = desk.pipe("dev", "add", "grafana", "--services", "services.yaml")

    assert added.returncode == 0, added.stderr
    assert desk.lab.service_status("grafana")["ports"][0]["port"] == port
    assert desk.lab.service_status("grafana")["state"] == "healthy"
    assert f":{port}/" not in desk.lab.client.dashboard_link()


def test_a_link_is_never_cut(make_status: Any) -> None:
    link = f"http://localhost:3000/?t={'x' * 43}"
    status = make_status(endpoints={"dashboard": link})

    rows = ready_banner(status, ready_seconds=1.0, width=40, obstacle="port 3000 is taken")

    texts = ["".join(span.text for span in row) for row in rows]
    place = texts.index(f"Dashboard: {link}")
    assert texts[place + 1].strip() == "port 3000 is taken"
