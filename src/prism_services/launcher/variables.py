"""Which environment variables say what code a program runs: nobody who only asks for a process may set them.

Every user of a machine can ask a launcher that listens there, and its processes run as whoever started it.
"""

from __future__ import annotations

from typing import Final

_NAMES: Final = frozenset(
    {
        *("PATH", "HOME", "TMPDIR", "IFS", "ENV", "SHELL", "SHELLOPTS", "PS4", "GCONV_PATH"),
        *("CLASSPATH", "JAVA_HOME", "JDK_JAVA_OPTIONS", "OPENSSL_CONF"),
        *("PERL5LIB", "PERL5OPT", "PERL5DB", "RUBYLIB", "RUBYOPT"),
    }
)
_BEGINNINGS: Final = (
    *("LD_", "DYLD_", "BASH", "PYTHON", "NODE_", "JAVA_TOOL_", "_JAVA_"),
    *("DOTNET_", "CORECLR_", "LUA_", "XDG_"),
)


def chooses_code(name: str) -> bool:
    """Whether a variable tells the loader, a shell or an interpreter where to find code, or what to do first."""
    upper = name.upper()
    return upper in _NAMES or upper.startswith(_BEGINNINGS)
