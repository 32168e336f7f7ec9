"""The command line: options, one call, one answer. Nothing here knows Nomad, probes or processes."""

from __future__ import annotations
