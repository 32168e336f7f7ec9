"""What every Prism service shares: flags, logs, gRPC with health and metrics, HTTP pages, an orderly end.

Nothing here imports protobuf before the server listens: hand-written health answers and deferred
services keep the time from exec to SERVING close to that of a bare gRPC server.
"""

from __future__ import annotations
