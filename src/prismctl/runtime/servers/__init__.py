"""Servers whose start takes more than their command line; `runtime.native` asks them by driver.

The modules named ``*_here`` are run by path as parts of a service's command line, and import nothing of ours.
"""

from __future__ import annotations
