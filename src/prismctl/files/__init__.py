"""What people edit and what prismctl keeps: paths, catalog, settings, logs, atomic writes."""

from __future__ import annotations
