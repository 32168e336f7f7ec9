"""The images that the packaged catalog names, made of this machine's programs: no registry is needed.

Each keeps the contract of the official one (entry, variables, user, volumes, stop signal), so that what the catalog says of it is run unchanged.
They go by the official names, and so belong into a storage of their own (`container_images.running_podman`).
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from prismctl.install.kafka import libs_of
from prismctl.machine import find_program
from tests.container_images import add, find_libraries

TOOLS = ("sh", "cat", "id", "mkdir", "chown", "chmod", "find", "env", "rm", "sed", "tr", "setpriv")
USERS = """\
root:x:0:0:root:/root:/bin/sh
postgres:x:70:70::/var/lib/postgresql:/bin/sh
redis:x:999:1000::/data:/bin/sh
appuser:x:1000:1000::/home/appuser:/bin/sh
"""
GROUPS = "root:x:0:\npostgres:x:70:\nredis:x:1000:\nappuser:x:1000:\n"

REDIS_ENTRY = """\
#!/bin/sh
set -e
if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then
    set -- redis-server "$@"
fi
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    find . ! -user redis -exec chown redis '{}' +
    exec setpriv --reuid=redis --regid=redis --clear-groups "$0" "$@"
fi
umask 0077
# The official one is built so that it lets in who comes through a mapped port.
if [ "$1" = redis-server ]; then
    set -- "$@" --protected-mode no
fi
exec "$@"
"""
NATS_ENTRY = """\
#!/bin/sh
set -e
case "$1" in
    -*) set -- nats-server "$@" ;;
esac
exec "$@"
"""
POSTGRES_ENTRY = """\
#!/bin/sh
set -e
if [ "${1#-}" != "$1" ]; then
    set -- postgres "$@"
fi
if [ "$1" = postgres ] && [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA"
    chmod 00700 "$PGDATA"
    find "$PGDATA" ! -user postgres -exec chown postgres '{}' +
    exec setpriv --reuid=postgres --regid=postgres --clear-groups "$0" "$@"
fi
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
        echo 'Error: Database is uninitialized and superuser password is not specified.' >&2
        exit 1
    fi
    user=${POSTGRES_USER:-postgres}
    if [ -n "$POSTGRES_PASSWORD" ]; then
        (umask 077; echo "$POSTGRES_PASSWORD" > /tmp/password)
        initdb -D "$PGDATA" -U "$user" --pwfile=/tmp/password --no-instructions ${POSTGRES_INITDB_ARGS}
        rm /tmp/password
    else
        initdb -D "$PGDATA" -U "$user" --no-instructions ${POSTGRES_INITDB_ARGS}
    fi
    printf '\\nhost all all all %s\\n' "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >> "$PGDATA/pg_hba.conf"
    if [ "${POSTGRES_DB:-$user}" != postgres ]; then
        echo "create database \\"${POSTGRES_DB:-$user}\\"" | postgres --single -D "$PGDATA" postgres
    fi
fi
exec "$@"
"""
KAFKA_RUN = """\
#!/bin/sh
set -e
properties=/opt/kafka/config/server.properties
: > "$properties"
env | while IFS='=' read -r name value; do
    case "$name" in
        KAFKA_HEAP_OPTS | KAFKA_OPTS | KAFKA_LOG4J_OPTS | KAFKA_JVM_PERFORMANCE_OPTS | KAFKA_GC_LOG_OPTS) ;;
        KAFKA_*)
            key=$(echo "${name#KAFKA_}" | tr A-Z a-z | sed 's/___/-/g; s/__/@/g; s/_/./g; s/@/_/g')
            echo "$key=$value" >> "$properties" ;;
    esac
done
java() {
    /opt/java/bin/java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp '/opt/kafka/libs/*' "$@"
}
java kafka.tools.StorageTool format --ignore-formatted -t "${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw}" -c "$properties"
exec /opt/java/bin/java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC ${KAFKA_HEAP_OPTS:--Xmx1G -Xms1G} \\
    -cp '/opt/kafka/libs/*' kafka.Kafka "$properties"
"""
CLICKHOUSE_ENTRY = """\
#!/bin/sh
set -e
place=/etc/clickhouse-server
cat > "$place/users.xml" <<END
<yandex>
    <profiles><default/></profiles>
    <quotas><default/></quotas>
    <users><${CLICKHOUSE_USER:-default}>
        <password from_env="CLICKHOUSE_PASSWORD"/>
        <networks><ip>::/0</ip></networks>
        <profile>default</profile>
        <quota>default</quota>
    </${CLICKHOUSE_USER:-default}></users>
</yandex>
END
data=/var/lib/clickhouse
if [ -n "$CLICKHOUSE_DB" ]; then
    mkdir -p "$data/data/$CLICKHOUSE_DB" "$data/metadata/$CLICKHOUSE_DB"
fi
export CLICKHOUSE_PASSWORD
exec clickhouse-server "--config-file=$place/config.xml" "$@"
"""
CLICKHOUSE_CONFIG = """\
<yandex>
    <logger><console>true</console><level>information</level></logger>
    <listen_host>0.0.0.0</listen_host>
    <http_port>8123</http_port>
    <tcp_port>9000</tcp_port>
    <path>/var/lib/clickhouse/</path>
    <tmp_path>/var/lib/clickhouse/tmp/</tmp_path>
    <mark_cache_size>67108864</mark_cache_size>
    <users_config>users.xml</users_config>
    <default_profile>default</default_profile>
    <default_database>default</default_database>
</yandex>
"""
JAVA_MODULES = (
    *("java.base", "java.logging", "java.management", "java.naming", "java.security.jgss"),
    *("java.security.sasl", "java.sql", "java.xml", "jdk.management", "jdk.unsupported"),
)


ENTRY = "usr/local/bin/docker-entrypoint.sh"


class Recipe(NamedTuple):
    """What an image is made of."""

    name: str
    """The official one, in full."""
    config: dict[str, Any]
    """How a container of it is run, as images have it written down."""
    entry: tuple[str, str]
    """Where its script stands, and the script."""
    program: str = ""


RECIPES = {
    "redis": Recipe(
        name="docker.io/library/redis:7-alpine",
        config={
            "Entrypoint": [f"/{ENTRY}"],
            "Cmd": ["redis-server"],
            "WorkingDir": "/data",
            "Volumes": {"/data": {}},
            "ExposedPorts": {"6379/tcp": {}},
        },
        entry=(ENTRY, REDIS_ENTRY),
        program="redis-server",
    ),
    "nats": Recipe(
        name="docker.io/library/nats:2.10-alpine",
        config={
            "Entrypoint": [f"/{ENTRY}"],
            "Cmd": ["nats-server"],
            "ExposedPorts": {"4222/tcp": {}},
        },
        entry=(ENTRY, NATS_ENTRY),
        program="nats-server",
    ),
    "postgres": Recipe(
        name="docker.io/library/postgres:16-alpine",
        config={
            "Entrypoint": [f"/{ENTRY}"],
            "Cmd": ["postgres"],
            "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "PGDATA=/var/lib/postgresql/data"],
            "Volumes": {"/var/lib/postgresql/data": {}},
            "ExposedPorts": {"5432/tcp": {}},
            "StopSignal": "SIGINT",
        },
        entry=(ENTRY, POSTGRES_ENTRY),
    ),
    "kafka": Recipe(
        name="docker.io/apache/kafka:3.9.1",
        config={
            "Cmd": ["/etc/kafka/docker/run"],
            "User": "appuser",
            "Volumes": {"/var/lib/kafka/data": {}},
            "ExposedPorts": {"9092/tcp": {}},
        },
        entry=("etc/kafka/docker/run", KAFKA_RUN),
    ),
    "clickhouse": Recipe(
        name="docker.io/clickhouse/clickhouse-server:latest",
        config={
            "Entrypoint": ["/entrypoint.sh"],
            "Volumes": {"/var/lib/clickhouse": {}},
            "ExposedPorts": {"8123/tcp": {}, "9000/tcp": {}, "9009/tcp": {}},
        },
        entry=("entrypoint.sh", CLICKHOUSE_ENTRY),
        program="clickhouse-server",
    ),
}


class Archive:
    """The files of an image."""

    def __init__(self) -> None:
        self.target = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.target, mode="w")  # noqa: SIM115 - closed in `finish`
        self.packed: set[str] = set()

    def text(self, name: str, content: str, mode: int = 0o644) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content.encode()), mode
        self.tar.addfile(entry, io.BytesIO(content.encode()))

    def directory(self, name: str, *, user: int = 0, mode: int = 0o755) -> None:
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, mode, user, user
        self.tar.addfile(entry)

    def program(self, source: Path, name: str) -> None:
        """A program or a library, with the libraries that it needs."""
        add(self.tar, source, name, self.packed)
        for library in find_libraries(str(source)):
            add(self.tar, library, str(library).lstrip("/"), self.packed)

    def tree(self, source: Path, name: str, *, without: str = "") -> None:
        """All that is there, but for files of one name."""

        def choose(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
            return None if without and Path(entry.name).name == without else entry

        self.tar.add(source, arcname=name, filter=choose)

    def finish(self) -> bytes:
        self.tar.close()
        return self.target.getvalue()


class Image(NamedTuple):
    """An image of one layer, in the parts that it is handed on in."""

    name: str
    layer: bytes
    config: bytes

    def archive(self) -> bytes:
        """As `podman load` and `docker load` take it."""
        manifest = [{"Config": "config.json", "RepoTags": [self.name], "Layers": ["layer.tar"]}]
        target = io.BytesIO()
        with tarfile.open(fileobj=target, mode="w") as archive:
            for name, content in (
                ("manifest.json", json.dumps(manifest).encode()),
                ("config.json", self.config),
                ("layer.tar", self.layer),
            ):
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        return target.getvalue()


@cache
def make_image(kind: str) -> Image:
    """The image of a backend, under the name that the catalog has for it."""
    recipe = RECIPES[kind]
    archive = Archive()
    for name in ("bin", "proc", "dev", "sys", "run", "root"):
        archive.directory(name)
    archive.directory("tmp", mode=0o1777)
    archive.directory("data", user=999)
    archive.text("etc/passwd", USERS)
    archive.text("etc/group", GROUPS)
    archive.text(*recipe.entry, mode=0o755)
    for tool in (*TOOLS, *filter(None, (recipe.program,))):
        path = find_program(tool)
        assert path, f"{tool} is not on this machine"
        archive.program(Path(path), f"usr/bin/{tool}")
    archive.program(Path("/bin/sh"), "bin/sh")
    if kind == "postgres":
        add_postgres(archive)
    elif kind == "kafka":
        add_kafka(archive)
    elif kind == "clickhouse":
        archive.text("etc/clickhouse-server/config.xml", CLICKHOUSE_CONFIG)
        for name in ("usr/share/zoneinfo/UTC", "etc/localtime"):
            archive.tree(Path("/usr/share/zoneinfo/UTC").resolve(), name)
    return wrap(recipe.name, archive.finish(), recipe.config)


def wrap(name: str, layer: bytes, config: dict[str, Any]) -> Image:
    """An image of one layer."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    document = {
        "architecture": machine,
        "os": "linux",
        "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], **config},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    return Image(name, layer, json.dumps(document).encode())


def add_postgres(archive: Archive) -> None:
    """A PostgreSQL where it was built to be: it finds its other files from there."""
    program = Path(find_program("postgres")).resolve()
    programs, libraries = program.parent, program.parent.with_name("lib")
    for name in ("postgres", "initdb"):
        archive.program(programs / name, str(programs / name).lstrip("/"))
    for name in ("plpgsql", "dict_snowball"):
        archive.program(libraries / f"{name}.so", str(libraries / f"{name}.so").lstrip("/"))
    asked = subprocess.run((programs / "pg_config", "--sharedir"), capture_output=True, check=True)
    share = Path(asked.stdout.decode().strip())
    sample = "postgresql.conf.sample"
    archive.tree(share, str(share).lstrip("/"), without=sample)
    # As the official image has it: it could not be reached from outside otherwise.
    text = (share / sample).read_text() + "\nlisten_addresses = '*'\n"
    archive.text(f"{str(share).lstrip('/')}/{sample}", text)
    archive.tree(Path("/usr/share/zoneinfo/UTC"), "usr/share/zoneinfo/UTC")
    for name in ("postgres", "initdb"):
        link = tarfile.TarInfo(f"usr/local/bin/{name}")
        link.type, link.linkname = tarfile.SYMTYPE, str(programs / name)
        archive.tar.addfile(link)
    archive.directory("var/lib/postgresql", user=70)
    archive.directory("var/run/postgresql", user=70, mode=0o3777)


def add_kafka(archive: Archive) -> None:
    """Kafka's jars, and as much of Java as they need."""
    jlink = Path(find_program("java")).resolve().with_name("jlink")
    with tempfile.TemporaryDirectory() as place:
        java = Path(place) / "java"
        words = ("--no-header-files", "--no-man-pages", "--output", str(java))
        subprocess.run((jlink, "--add-modules", ",".join(JAVA_MODULES), *words), check=True)
        # What starts Java fast is not in what was linked.
        subprocess.run((java / "bin" / "java", "-Xshare:dump"), check=True, capture_output=True)
        archive.tree(java, "opt/java")
        for file in (java / "bin" / "java", *java.glob("lib/**/*.so")):
            for library in find_libraries(str(file)):
                if not library.is_relative_to(java):
                    add(archive.tar, library, str(library).lstrip("/"), archive.packed)
    kafka = Path(find_program("kafka-server-start.sh")).resolve().parents[1]
    archive.tree(libs_of(kafka), "opt/kafka/libs")
    archive.directory("opt/kafka/config", user=1000)
    for name in ("var/lib/kafka/data", "home/appuser"):
        archive.directory(name, user=1000)
