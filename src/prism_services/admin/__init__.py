"""prism-admin: the control plane. Knows proxies, launchers, namespaces and processes; keeps them in SQLite."""

from __future__ import annotations
