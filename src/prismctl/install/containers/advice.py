"""What to do about what Podman says when it does not work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from prismctl.install.containers.sentence import KnownSentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice(KnownSentence):
    """A sentence that somebody can do something about."""

    fix: str


_KNOWN: Final = (
    Advice(
        sentence=r"[Cc]annot connect to Podman|unable to connect to Podman",
        why="its virtual machine does not answer",
        fix="podman machine start",
    ),
    Advice(
        sentence=r"newuidmap|newgidmap|cannot set up namespace|no subuid ranges",
        why="this user may not have the users that a container needs",
        fix="install the package uidmap (Fedora: shadow-utils), then give the user subordinate IDs",
    ),
    Advice(
        sentence=r"user namespaces are not enabled|unprivileged_userns_clone|max_user_namespaces",
        why="the kernel lets no user make containers",
        fix="sudo sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=28633",
    ),
    Advice(
        sentence=r"fuse-overlayfs.*(?:not found|no such file)|kernel does not support overlay",
        why="it cannot lay the files of an image over each other",
        fix="install the package fuse-overlayfs",
    ),
    Advice(
        sentence=r"/dev/net/tun",
        why="users may not make network devices here, so their containers only have this machine's network",
        fix="sudo modprobe tun && sudo chmod 666 /dev/net/tun",
    ),
    Advice(
        sentence=r"iptables|nftables|\bnft\b",
        why="it cannot change the rules of the network",
        fix="install the package iptables (or nftables), and run with the rights to use it",
    ),
    Advice(
        sentence=r"could not find (?:slirp4netns|pasta|\"?netavark)|(?:slirp4netns|pasta|netavark|aardvark-dns)\"?:? executable file not found",
        why="what connects its containers is missing",
        fix="install the packages netavark, aardvark-dns and passt (before Podman 5: slirp4netns)",
    ),
    Advice(
        sentence=r"No space left on device|disk quota exceeded",
        why="there is no room for it",
        fix="podman system prune",
    ),
    Advice(
        sentence=r"did not end within",
        why="it hangs",
        fix="podman ps -a   (does it answer? `podman system renumber` mends its locks)",
    ),
)
"""In the order in which they are looked for."""


def advise(words: str, *, otherwise: str) -> tuple[str, str]:
    """What Podman said, with what it means put in front where that is known, and what to do.

    Args:
        words: of Podman.
        otherwise: what to do about words that are not known.
    """
    advice = next((each for each in _KNOWN if each.is_in(words)), None)
    return (words, otherwise) if advice is None else (f"{advice.why}: {words}", advice.fix)
