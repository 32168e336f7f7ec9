"""Bundles: one file with everything a machine without network needs, written here and installed from there."""

from __future__ import annotations

from prismctl.install.bundle.provider import BundleProvider

__all__ = ["BundleProvider"]
