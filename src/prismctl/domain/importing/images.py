"""What an image is for, as far as its name says."""

from __future__ import annotations

from typing import Final

from prismctl.domain.containers import parse_image_name
from prismctl.domain.interpolation import MARK
from prismctl.domain.service import ServiceType

_TYPES: Final = {
    ServiceType.BACKEND: (
        "postgres", "postgresql", "postgis", "timescaledb", "mysql", "mariadb", "percona", "mongo", "mongodb", "redis",
        "valkey", "keydb", "memcached", "clickhouse", "clickhouse-server", "elasticsearch", "opensearch", "cassandra",
        "scylla", "cockroach", "minio", "etcd", "influxdb", "neo4j", "couchdb", "dynamodb-local", "qdrant", "weaviate",
    ),
    ServiceType.MESSAGING: (
        "kafka", "cp-kafka", "redpanda", "zookeeper", "cp-zookeeper", "rabbitmq", "nats", "activemq", "pulsar", "mosquitto",
    ),
    ServiceType.OBSERVABILITY: (
        "grafana", "prometheus", "loki", "tempo", "jaeger", "all-in-one", "zipkin", "kibana", "alertmanager",
        "opentelemetry-collector", "opentelemetry-collector-contrib", "node-exporter", "cadvisor", "promtail", "vector",
    ),
    ServiceType.TOOL: ("adminer", "phpmyadmin", "pgadmin4", "mailhog", "mailpit", "kafka-ui", "mongo-express", "redisinsight"),
}  # fmt: skip
_BY_IMAGE: Final = {name: kind for kind, names in _TYPES.items() for name in names}
_PORTS: Final = {
    "postgres": 5432, "postgresql": 5432, "postgis": 5432, "timescaledb": 5432, "mysql": 3306, "mariadb": 3306,
    "percona": 3306, "mongo": 27017, "mongodb": 27017, "redis": 6379, "valkey": 6379, "keydb": 6379, "memcached": 11211,
    "clickhouse": 8123, "clickhouse-server": 8123, "elasticsearch": 9200, "opensearch": 9200, "cassandra": 9042,
    "rabbitmq": 5672, "nats": 4222, "kafka": 9092, "cp-kafka": 9092, "zookeeper": 2181, "cp-zookeeper": 2181,
    "etcd": 2379, "minio": 9000, "mosquitto": 1883, "mailhog": 1025, "mailpit": 1025,
}  # fmt: skip


def guess_port(image: str) -> int | None:
    """Where a server of this image is reached when nobody says where; ``None``: the name does not tell."""
    return _PORTS.get(_last_word(image))


def guess_type(image: str) -> str:
    """Where a service of this image is listed."""
    return _BY_IMAGE.get(_last_word(image), ServiceType.APPLICATION).value


def _last_word(image: str) -> str:
    repository = image.partition(":")[0] if MARK in image else parse_image_name(image).repository
    return repository.rpartition("/")[2]
