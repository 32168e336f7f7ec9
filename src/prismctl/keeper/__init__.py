"""The keeper: parent of everything a stack runs on this machine. Standard library only."""

from __future__ import annotations
