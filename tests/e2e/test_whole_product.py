"""The product as somebody uses it: the installed command, real engines, real clients, nothing left afterwards."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import grpc
import pytest

from prism_proto.prism import control_plane_pb2, control_plane_pb2_grpc
from prism_proto.prism.interfaces.keyvalue import keyvalue_basic_pb2, keyvalue_basic_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Shell

pytestmark = pytest.mark.e2e

CALL_SECONDS = 10


def talk_to_admin(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        admin = control_plane_pb2_grpc.ControlPlaneStub(channel)
        registered = admin.RegisterProxy(
            control_plane_pb2.ProxyRegistration(proxy_id="proxy-1", address="127.0.0.1:1"),
            timeout=CALL_SECONDS,
        )
        assert registered.success
        assert [(each.start, each.end) for each in registered.partition_ranges] == [(0, 255)]
        created = admin.CreateNamespace(
            control_plane_pb2.CreateNamespaceRequest(namespace="orders"), timeout=CALL_SECONDS
        )
        assert created.success
        assert created.assigned_proxy == "proxy-1"


def talk_to_memstore(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        store = keyvalue_basic_pb2_grpc.KeyValueBasicInterfaceStub(channel)
        store.Set(keyvalue_basic_pb2.SetRequest(key="color", value=b"teal"), timeout=CALL_SECONDS)
        answer = store.Get(keyvalue_basic_pb2.GetRequest(key="color"), timeout=CALL_SECONDS)
    assert (answer.found, answer.value) == (True, b"teal")


@pytest.mark.timeout(400)
def test_start_see_use_and_stop_ten_times_in_a_row(shell: Shell, engine: str) -> None:
    for _ in range(10):
        said = shell.start(engine)
        assert "done " in said
        status = shell.status()
        assert status["state"] == "running", json.dumps(status)
        assert status["engine"] == engine
        talk_to_admin(shell.address("prism-admin"))
        talk_to_memstore(shell.address("memstore"))
        assert "Nothing is left running" in shell.run("dev", "stop")
        assert shell.status()["state"] == "stopped"
        assert shell.lab.own_processes() == []


def test_tools_typed_by_hand_work(
    shell: Shell, engine: str, wait_until: Callable[..., None]
) -> None:
    shell.start(engine)
    assert shell.type('echo "$PRISM_ADMIN_HOST:$PRISM_ADMIN_PORT"').strip() == shell.address(
        "prism-admin"
    )
    assert "prism-admin" in shell.type(
        'prism-admin health --endpoint "$PRISM_ADMIN_HOST:$PRISM_ADMIN_PORT" && echo prism-admin'
    )
    if engine == "local":
        return
    job = f"prism-stack-{shell.lab.paths.name}"
    assert "running" in shell.type(f"nomad job status {job}")
    allocations = json.loads(shell.type(f"nomad job allocs -json {job}"))
    launcher = next(each["ID"] for each in allocations if each["TaskGroup"] == "launcher")
    assert "registered" in shell.type(f"nomad alloc logs -stderr {launcher} pattern-launcher")
    services = shell.type("consul catalog services").split()
    assert {"prism-admin", "pattern-launcher", "memstore"} <= set(services)

    def all_pass() -> bool:
        checks = shell.type(
            'curl -sf -H "X-Consul-Token: $CONSUL_HTTP_TOKEN" "$CONSUL_HTTP_ADDR/v1/health/state/any"'
        )
        passing = {c["ServiceName"] for c in json.loads(checks) if c["Status"] == "passing"}
        return passing >= {"prism-admin", "pattern-launcher", "memstore"}

    wait_until(all_pass, lambda: "Consul does not call all three passing")


def test_a_killed_daemon_is_back_and_no_service_noticed(
    shell: Shell, engine: str, wait_until: Callable[..., None]
) -> None:
    shell.start(engine)
    before = shell.lab.pids(shell.status())
    daemon = shell.lab.daemon_pid()

    os.kill(daemon, signal.SIGKILL)

    assert shell.lab.pids(shell.status()) == before
    wait_until(lambda: shell.status()["state"] == "running")
    assert shell.lab.daemon_pid() != daemon


def test_a_killed_service_is_restarted_while_the_daemon_is_suspended(
    shell: Shell, engine: str, wait_until: Callable[..., None]
) -> None:
    shell.start(engine)
    memstore = shell.lab.pids()["memstore"]
    address = shell.address("memstore")
    daemon = shell.lab.daemon_pid()
    os.kill(daemon, signal.SIGSTOP)
    try:
        os.kill(memstore, signal.SIGKILL)
        with grpc.insecure_channel(address) as channel:
            store = keyvalue_basic_pb2_grpc.KeyValueBasicInterfaceStub(channel)
            answer = store.Get(
                keyvalue_basic_pb2.GetRequest(key="x"), timeout=30, wait_for_ready=True
            )
        assert not answer.found
    finally:
        os.kill(daemon, signal.SIGCONT)

    def restarted() -> bool:
        status = shell.lab.service_status("memstore")
        is_up = status["state"] == "healthy" and bool(status["pid"] != memstore)
        # Nomad says how often it restarted a moment after the new process is seen.
        return is_up and status["restarts"] == 1

    wait_until(restarted)


def test_a_killed_keeper_brings_the_stack_back(
    shell: Shell, engine: str, wait_until: Callable[..., None]
) -> None:
    shell.start(engine)
    before = shell.lab.pids()

    os.kill(shell.lab.keeper_pid(), signal.SIGKILL)

    def is_back() -> bool:
        status = shell.status()
        now = shell.lab.pids(status)
        return status["state"] == "running" and all(now[name] != before[name] for name in before)

    wait_until(is_back, lambda: f"{shell.status()}", seconds=40)


def test_after_keeper_and_daemon_were_killed_the_next_start_says_so_and_works(
    shell: Shell, engine: str
) -> None:
    shell.start(engine)
    daemon, keeper = shell.lab.daemon_pid(), shell.lab.keeper_pid()
    for pid in (daemon, keeper):
        os.kill(pid, signal.SIGSTOP)
    for pid in (daemon, keeper):
        os.kill(pid, signal.SIGKILL)

    said = shell.start(engine)

    assert "ended" in said or "swept" in said
    assert shell.status()["state"] == "running"


def test_two_starts_at_once_are_one_start(shell: Shell, engine: str) -> None:
    starts = [shell.open_start(engine) for _ in range(2)]
    said = [each.communicate(timeout=90)[0] for each in starts]
    assert [each.returncode for each in starts] == [0, 0], said
    assert shell.status()["state"] == "running"


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_while_starting_leaves_nothing(shell: Shell, engine: str, times: int) -> None:
    with shell.open_start(engine) as starting:
        assert starting.stdout is not None
        said = starting.stdout.readline()  # it has begun
        for _ in range(times):
            starting.send_signal(signal.SIGINT)
            said += starting.stdout.readline()
        said += starting.stdout.read()
    assert starting.returncode == 130, said
    assert shell.status()["state"] == "stopped"
    assert shell.lab.own_processes() == []
