"""Snapshots, plans and events as words and rows: pure, the same for every front end."""

from __future__ import annotations
