"""One module a command; each is imported only when it is the one that was typed."""

from __future__ import annotations
