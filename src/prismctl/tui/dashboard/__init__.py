"""The dashboard: how a running stack is, its logs, and what can be done about both, on a terminal."""
