"""Programs are started in terminals by a process in which gRPC is at work."""

from __future__ import annotations

import os
import sys
from concurrent import futures
from pathlib import Path

import grpc
import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_no_thread_of_grpc_aborts_a_program_that_is_just_being_started() -> None:
    server = grpc.server(futures.ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            grpc.channel_ready_future(channel).result(10)
            child = os.fork()
            if not child:
                os._exit(len(list(Path("/proc/self/task").iterdir())))
            _, status = os.waitpid(child, 0)
    finally:
        server.stop(None).wait()
    assert os.waitstatus_to_exitcode(status) == 1
