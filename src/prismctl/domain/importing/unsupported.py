"""Keys of compose that the catalog has nothing for, with the reason and what to do instead."""

from __future__ import annotations

from typing import Final

_NO_KEY: Final = "the catalog has nothing for it"
_SWARM: Final = "it is for a cluster of machines"

LEFT_OUT: Final = {
    "entrypoint": "the catalog has no key for it: the image's own entrypoint runs, and is given the arguments",
    "secrets": "no file is mounted for it; write the value in `env` and name it in `secrets`",
    "configs": "no file is mounted for it; mount it by `volumes`",
    "extends": "what the other service says is not looked at; write it here, or use a YAML anchor",
    "network_mode": "ports are mapped to loopback; a service that refers to others shares the machine's network",
    "extra_hosts": "names are not resolved in containers; write the address",
    "user": "the image's own account is used",
    "privileged": "containers run without more rights than they need",
    "cap_add": "containers run without more rights than they need",
    "devices": "containers get no devices",
    "gpus": "containers get no devices",
    "develop": "files are not brought into a container; what restarts the service when it changes is named in `watch`",
    "stop_signal": "the image's own signal is used",
    "tmpfs": "mount a directory by `volumes`",
    "volumes_from": "name the volumes in `volumes`",
    "external_links": "a service of another project is not known here",
    "env_file": "",
    "label_file": _NO_KEY,
    "post_start": "write a service with `one_shot: true` that depends on this one",
    "pre_stop": _NO_KEY,
    "tty": "output goes to `prismctl dev logs`, which is no terminal",
    "stdin_open": "nobody could type into it",
    "provider": "programs of other tools are not called",
    "models": _NO_KEY,
}
"""Keys of a service, with reasons; one that is not listed has the plain one."""

DEPLOY: Final = {
    "mode": _SWARM,
    "placement": _SWARM,
    "update_config": _SWARM,
    "rollback_config": _SWARM,
    "endpoint_mode": _SWARM,
    "labels": _NO_KEY,
}
"""Keys of ``deploy``."""

TOP_LEVEL: Final = {
    "include": "import each file by itself",
    "models": _NO_KEY,
}
"""Keys of the file."""

KNOWN_SERVICE_KEYS: Final = (
    "annotations", "attach", "blkio_config", "build", "cap_add", "cap_drop", "cgroup", "cgroup_parent", "command",
    "configs", "container_name", "cpu_count", "cpu_percent", "cpu_period", "cpu_quota", "cpu_rt_period",
    "cpu_rt_runtime", "cpu_shares", "cpus", "cpuset", "credential_spec", "depends_on", "deploy", "develop",
    "device_cgroup_rules", "devices", "dns", "dns_opt", "dns_search", "domainname", "entrypoint", "env_file",
    "environment", "expose", "extends", "external_links", "extra_hosts", "gpus", "group_add", "healthcheck",
    "hostname", "image", "init", "ipc", "isolation", "label_file", "labels", "links", "logging", "mac_address",
    "mem_limit", "mem_reservation", "mem_swappiness", "memswap_limit", "models", "network_mode", "networks",
    "oom_kill_disable", "oom_score_adj", "pid", "pids_limit", "platform", "ports", "post_start", "pre_stop",
    "privileged", "profiles", "provider", "pull_policy", "read_only", "restart", "runtime", "scale", "secrets",
    "security_opt", "shm_size", "stdin_open", "stop_grace_period", "stop_signal", "storage_opt", "sysctls",
    "tmpfs", "tty", "ulimits", "use_api_socket", "user", "userns_mode", "uts", "volumes", "volumes_from",
    "working_dir",
)  # fmt: skip
"""All that compose knows, whether or not it is taken over."""


def reason_for(key: str) -> str:
    """Why a key of a service is left out."""
    return LEFT_OUT.get(key) or _NO_KEY
