"""What is known of the servers that a catalog names by ``driver``: their settings, and how each is told them.

One module a server. Each has a table of settings, and one pure function that puts them into a definition: as
arguments, as variables, or as the text of a file, whichever the server reads. `registry` has them all.
"""

from __future__ import annotations
