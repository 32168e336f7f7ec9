"""Resolves Kafka, once a machine: `make backends`. Prints the directory of its jars.

What `prismctl dev init --with kafka` does: in $PRISM_TOOLS_DIR or ~/.cache/prismctl/tools, as kafka-VERSION-HASH with
kafka pointing at it.
"""

from __future__ import annotations

import asyncio
import os
import sys

from prismctl.errors import PrismError
from prismctl.install.kafka import ensure_kafka, libs_of

if __name__ == "__main__":
    try:
        print(libs_of(asyncio.run(ensure_kafka(os.environ)).directory))  # noqa: T201 - the answer
    except PrismError as error:
        sys.exit(f"error: {error.message}\nhint: {error.hint}")
