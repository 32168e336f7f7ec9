from __future__ import annotations

import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from prismctl.domain.host_port import PortProtocol
from prismctl.domain.plan import Port
from prismctl.domain.service import CheckType, HealthCheck, Runtime
from prismctl.errors import RejectedError
from tests.free_ports import take_port

if TYPE_CHECKING:
    from prismctl.domain.plan import ServicePlan
    from tests.conftest import StackLab


def elsewhere(name: str, port: int, lab: StackLab) -> ServicePlan:
    return replace(
        lab.service(name),
        runtime=Runtime.EXTERNAL,
        command=(),
        ports=(Port(name="main", number=port),),
        check=HealthCheck(type=CheckType.TCP, port=port),
    )


def test_restarting_what_runs_elsewhere_is_refused_at_once(lab: StackLab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        lab.start_with(lab.service("web"), elsewhere("redis", server.getsockname()[1], lab))
    # Nobody answers there any more: a restart that went ahead would wait for it.
    with pytest.raises(RejectedError) as raised:
        list(lab.client.restart(["redis"]))
    assert raised.value.message == "redis runs elsewhere; there is nothing to restart"
    with pytest.raises(RejectedError) as raised:
        list(lab.client.restart(["redis", "web"]))
    assert raised.value.hint == "`prismctl dev restart web` restarts the rest"


def test_nobody_here_is_looked_for_at_a_udp_port_that_is_elsewhere(lab: StackLab) -> None:
    dns = replace(
        elsewhere("dns", 5353, lab),
        ports=(Port(name="dns", number=take_port(), protocol=PortProtocol.UDP),),
        check=None,
    )
    lab.start_with(dns)
    assert lab.service_status("dns")["state"] == "healthy"


def test_a_restart_of_everything_leaves_alone_what_runs_elsewhere(lab: StackLab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        lab.start_with(lab.service("web"), elsewhere("redis", server.getsockname()[1], lab))
        before = lab.service_status("web")["pid"]
        *_, last = lab.client.restart([])
        assert last["result"]["outcome"] == "ready"
        assert lab.service_status("web")["pid"] != before
