"""What a stack is: pure values and pure functions of them. Standard library only, no effects."""

from __future__ import annotations
