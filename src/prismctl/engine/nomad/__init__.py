"""Runs a stack as Nomad jobs, with Consul for discovery: agents of its own on loopback, everything else by their HTTP."""

from __future__ import annotations
