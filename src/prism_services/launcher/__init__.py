"""pattern-launcher: starts pattern processes on demand, and tells prism-admin about them."""

from __future__ import annotations
