"""Services as plain processes of the keeper: nothing to install, ready in the time the services take."""

from __future__ import annotations
