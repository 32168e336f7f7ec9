"""Keys that people know from compose files: what the catalog calls them, or what is to know where it has none."""

from __future__ import annotations

from typing import Final

COMPOSE_WORDS: Final = {
    "image": "container",
    "environment": "env",
    "healthcheck": "health_check",
    "working_dir": "working_directory",
    "stop_grace_period": "stop_grace",
    "container_name": "name",
    "expose": "ports",
    "scale": "replicas",
    "mem_limit": "memory_mb",
    "build": "images are not built; `podman build -t NAME .` makes one for `container`",
    "deploy": "`replicas`, `memory_mb` and `resources` say what of it there is",
    "entrypoint": "the image's own program runs, with `args` after it",
    "env_file": "no file is read; write the variables into `env`",
    "extra_hosts": "services reach each other at `${NAME.host}` and `${NAME.port}`",
    "links": "services reach each other at `${NAME.host}` and `${NAME.port}`",
    "networks": "there are none; services reach each other at `${NAME.host}` and `${NAME.port}`",
    "profiles": "a service runs when it is chosen: with `--with NAME`, or in a profile",
    "restart": "whatever ends by itself is restarted, unless it is `one_shot: true`",
}
"""By the key of compose: a key of an entry of the catalog, or a sentence."""

IMAGE_KEYS: Final = ("container", "image")
"""An entry that has one of these is meant to be a container, however it is written."""

COMPOSE_CHECK_WORDS: Final = {
    "test": "command",
    "retries": "how many answers decide cannot be set",
}
"""The same for its checks."""

COMPOSE_CONDITIONS: Final = {
    "service_started": "started",
    "service_healthy": "healthy",
    "service_completed_successfully": "completed",
}
"""The same for how far another service has to be."""
