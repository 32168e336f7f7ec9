"""The brain of one stack: owns the engine, asks the services, keeps the truth, and answers on a socket."""

from __future__ import annotations
