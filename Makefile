# A thin front: every target is a command that can be typed. Needs Python 3.11+ and make; `e2e` also needs Go.
#
#   make dev      from a fresh checkout to a running minimal stack
#   make test     all tests that need no Nomad
#   make e2e      builds Nomad and Consul once a machine, then the suite on the real ones
#   make check    format, lint, types, layers
#   make dist     the wheel, and one self-extracting file a platform
#   make bench    the figures of docs/explanation/performance.md, measured here

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

# The first that runs and is new enough: a name on PATH may be a version manager's empty promise.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v "$$name"; break; }; done)
# Thousands of interpreters are started by the tests: where one may not keep what it compiled, the next compiles it again.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Half of the workers of a test run wait for processes: two a core are done in two thirds of the time.
WORKERS ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))

.PHONY: help
help:
	@sed -n 's/^#   //p' Makefile

$(BIN)/uv:
	@test -n "$(PYTHON)" || { echo "prismctl needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(STAMP): requirements.lock pyproject.toml | $(BIN)/uv
	$(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python --no-deps -e .
	@touch $@

.PHONY: setup
setup: $(STAMP) ## .venv/bin/prismctl is there

.PHONY: dev
dev: setup
	$(BIN)/prismctl dev start --preset=minimal --no-dashboard --no-input

.PHONY: check
check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: shells
shells: ## zsh, fish, groff, tmux and Node for the tests of completion, of the man page and of the dashboards; packages as for `podman`
	scripts/install_shells.sh

.PHONY: test
test: setup shells
	$(BIN)/pytest -m "not e2e" -n $(WORKERS)

.PHONY: tools
tools: setup ## Nomad and Consul, built once a machine into a cache outside the checkout
	$(BIN)/python scripts/build_tools.py

.PHONY: podman
podman: ## Podman and Docker for the tests that run containers; where root can install packages, and nowhere else
	@{ command -v podman && command -v dockerd; } >/dev/null || ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ] || \
		{ apt-get update -q && apt-get install -q -y --no-install-recommends \
			podman crun runc netavark aardvark-dns iptables catatonit docker.io iproute2; }

.PHONY: backends
backends: setup shells ## Redis, NATS, PostgreSQL, Kafka and Chromium for the tests that run on them; packages as for `podman`
	scripts/install_backends.sh
	@! command -v mvn >/dev/null || $(BIN)/python scripts/fetch_kafka.py

.PHONY: e2e
e2e: tools podman backends ## tests that share a storage of images stay together on one worker; all others go where there is room
	$(BIN)/pytest -m e2e -n 2 --dist loadgroup

.PHONY: bench
bench: setup
	$(BIN)/python bench/run.py

.PHONY: dist
dist: setup ## the wheel, and the self-extracting file for each platform, in dist/
	$(BIN)/uv build --quiet --wheel --out-dir dist .
	for target in linux-amd64 linux-arm64 darwin-amd64 darwin-arm64; do \
		$(BIN)/python scripts/build_single_file.py --wheel dist/*.whl --target $$target --output dist/prismctl-$$target || exit; done

.PHONY: proto
proto: setup ## src/prism_proto from proto/
	$(BIN)/python scripts/generate_protos.py

.PHONY: lock
lock: setup ## requirements.lock from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --group dev pyproject.toml -o requirements.lock

.PHONY: format
format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: clean
clean: ## what this checkout built; never a running stack or its data
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
