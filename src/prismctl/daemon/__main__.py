"""``python -m prismctl.daemon``."""

from __future__ import annotations

import sys

from prismctl.daemon.main import main

sys.exit(main())
