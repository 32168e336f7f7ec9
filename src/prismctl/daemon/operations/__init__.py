"""What can be asked of a stack: one small module each, one at a time."""

from __future__ import annotations
