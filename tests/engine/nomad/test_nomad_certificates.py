from __future__ import annotations

import asyncio
import base64
import json
import os
import stat
from pathlib import Path

import pytest

from prismctl.engine.nomad.certificates import (
    CertificateFiles,
    CertificateMaker,
    ensure_certificate,
)
from prismctl.engine.nomad.configuration import (
    DATACENTER,
    REGION,
    render_agent_environment,
    render_consul_configuration,
    render_nomad_configuration,
)
from prismctl.engine.nomad.credentials import Credentials, ensure_credentials
from prismctl.engine.nomad.ports import AgentPorts
from prismctl.errors import PrismError, UnavailableError

CREDENTIALS = Credentials(
    nomad_management="nomad-token",
    consul_management="consul-token",
    consul_nomad="nomads-token",
    nomad_gossip="nomad-key",
    consul_gossip="consul-key",
)
FILES = CertificateFiles(Path("/agents/tls"))
PATHS = {
    "ca_file": "/agents/tls/authority.pem",
    "cert_file": "/agents/tls/certificate.pem",
    "key_file": "/agents/tls/key.pem",
}
PROGRAM = """#!/bin/sh
echo "$@" >> {calls}
case "$2" in
    ca) echo authority > nomad-agent-ca.pem; echo secret > nomad-agent-ca-key.pem ;;
    cert) echo certificate > global-server-nomad.pem; echo key > global-server-nomad-key.pem ;;
esac
"""


def make_program(directory: Path, text: str) -> CertificateMaker:
    """Stands for Nomad; its calls are in ``calls``."""
    program = directory / "program"
    program.write_text(text.format(calls=directory / "calls"))
    program.chmod(0o755)
    return CertificateMaker(program=program, region="global", consul_datacenter="dc1")


def make_certificate(files: CertificateFiles, maker: CertificateMaker) -> None:
    asyncio.run(ensure_certificate(files, maker, {"PATH": os.environ["PATH"]}))


def test_nomad_hears_only_servers_with_its_key_and_a_certificate() -> None:
    rendered = render_nomad_configuration(AgentPorts(), CREDENTIALS, FILES)
    assert rendered["region"] == REGION
    assert rendered["server"]["encrypt"] == "nomad-key"
    assert rendered["tls"] == {
        "rpc": True,
        "http": False,
        "verify_server_hostname": True,
        **PATHS,
    }


def test_consul_hears_only_servers_with_its_key_and_a_certificate() -> None:
    rendered = render_consul_configuration(AgentPorts(), CREDENTIALS, FILES)
    assert rendered["datacenter"] == DATACENTER
    assert rendered["encrypt"] == "consul-key"
    assert rendered["tls"] == {
        "internal_rpc": {
            "verify_incoming": True,
            "verify_outgoing": True,
            "verify_server_hostname": True,
            **PATHS,
        }
    }


def test_nomad_does_not_look_for_a_cloud_without_which_it_would_not_start_with_tls() -> None:
    rendered = render_nomad_configuration(AgentPorts(), CREDENTIALS, FILES)
    denied = rendered["client"]["options"]["fingerprint.denylist"].split(",")
    assert "env_aws" in denied


def test_the_certificate_names_both_servers_as_their_configurations_do() -> None:
    maker = CertificateMaker(program=Path("/nomad"), region=REGION, consul_datacenter=DATACENTER)
    days = "-days=3650"
    assert maker.commands == (
        ("/nomad", "tls", "ca", "create", days),
        (
            *("/nomad", "tls", "cert", "create", "-server", "-region=global"),
            *("-additional-dnsname=server.dc1.consul", days),
        ),
    )


def test_a_certificate_is_made_once_and_its_authority_signs_nothing_more(tmp_path: Path) -> None:
    files = CertificateFiles(tmp_path / "tls")
    maker = make_program(tmp_path, PROGRAM)
    make_certificate(files, maker)
    make_certificate(files, maker)
    assert len((tmp_path / "calls").read_text().splitlines()) == 2
    assert {path.name: path.read_text() for path in files.directory.iterdir()} == {
        "authority.pem": "authority\n",
        "certificate.pem": "certificate\n",
        "key.pem": "key\n",
    }
    assert stat.S_IMODE(files.directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.directory.iterdir()} == {0o600}


def test_what_an_interrupted_making_left_is_replaced(tmp_path: Path) -> None:
    files = CertificateFiles(tmp_path / "tls")
    (files.directory / "making").mkdir(parents=True)
    (files.directory / "making" / "nomad-agent-ca-key.pem").write_text("secret")
    files.key.write_text("old")
    make_certificate(files, make_program(tmp_path, PROGRAM))
    assert files.key.read_text() == "key\n"
    assert len(list(files.directory.iterdir())) == 3


def test_a_program_that_makes_no_certificate_is_named_with_what_it_said(tmp_path: Path) -> None:
    files = CertificateFiles(tmp_path / "tls")
    maker = make_program(tmp_path, "#!/bin/sh\necho no luck\nexit 3\n")
    with pytest.raises(UnavailableError, match=r"program tls ca create .*failed: no luck"):
        make_certificate(files, maker)
    assert list(files.directory.iterdir()) == []


def test_a_program_that_is_not_there_is_told_as_ours(tmp_path: Path) -> None:
    files = CertificateFiles(tmp_path / "tls")
    with pytest.raises(PrismError, match=r"cannot make .*certificate\.pem: No such file"):
        make_certificate(
            files,
            CertificateMaker(
                program=tmp_path / "missing", region="global", consul_datacenter="dc1"
            ),
        )


def test_gossip_keys_are_32_bytes_and_stay(tmp_path: Path) -> None:
    made = ensure_credentials(tmp_path / "credentials.json")
    assert ensure_credentials(tmp_path / "credentials.json") == made
    keys = {made.nomad_gossip, made.consul_gossip}
    assert [len(base64.b64decode(key)) for key in keys] == [32, 32]


def test_credentials_without_gossip_keys_are_replaced_so_that_what_runs_without_is_not_adopted(
    tmp_path: Path,
) -> None:
    path = tmp_path / "credentials.json"
    path.write_text(
        json.dumps({"nomad_management": "a", "consul_management": "b", "consul_nomad": "c"})
    )
    assert ensure_credentials(path).nomad_management != "a"


def test_helpers_of_nomad_listen_in_their_own_place_unless_its_path_is_too_long() -> None:
    short, long = Path("/run/user/1000/prismctl-0/nomad"), Path("/") / ("x" * 90)
    environment = render_agent_environment({"PATH": "/bin"}, Path("/agents"), short)
    assert environment["PLUGIN_UNIX_SOCKET_DIR"] == str(short)
    assert "PLUGIN_UNIX_SOCKET_DIR" not in render_agent_environment({}, Path("/agents"), long)
