"""Runs the keeper: ``python -m prismctl.keeper …``, or by this file's path.

By its path it needs no ``site``: ``python -I -S …/keeper/__main__.py`` leaves out what installed packages
hook into every start of the interpreter.
"""

from __future__ import annotations

import os
import sys

if not __package__:
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.append(os.path.dirname(os.path.dirname(here)))

from prismctl.keeper.main import main

sys.exit(main())
