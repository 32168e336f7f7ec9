"""What every Prism service shares: flags, logs, gRPC with health and metrics, HTTP pages, an orderly end.

Nothing here imports protobuf before the server listens: hand-written health answers and deferred
services keep the time from exec to SERVING close to that of a bare gRPC server.
"""

from __future__ import annotations

import os

# The C core of gRPC would write to stderr, in a form of its own, what is raised here as an error anyway.
# It reads this when it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
