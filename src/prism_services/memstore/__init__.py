"""prism-memstore: keys and values in memory, behind the KeyValue interfaces."""

from __future__ import annotations
