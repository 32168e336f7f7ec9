"""Is an instance ready? One small module for each way to ask, and the scheduler that decides when."""

from __future__ import annotations
