"""Puts tools on this machine, and looks whether it can run a stack: what `init`, `doctor` and `clean` are made of."""
