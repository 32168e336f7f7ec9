"""Answers one question: given a service of the plan, which command line runs it, where, with which environment."""

from __future__ import annotations
