"""Engines: a plan becomes running services, and what is seen of them becomes observations."""

from __future__ import annotations
