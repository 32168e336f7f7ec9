#!/bin/sh
# Installs the shells that completion and `dev env` are tested in, and what sets the man page, where root can install Debian
# packages. Anybody else tests with what is there: what is missing is skipped, and named.
set -eu

missing=
command -v zsh >/dev/null || missing="$missing zsh"
command -v fish >/dev/null || missing="$missing fish"
command -v groff >/dev/null || missing="$missing groff"

[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
	echo "not installed, so what needs it is not tested:$missing" >&2
	exit 0
fi

apt-get update -q
# shellcheck disable=SC2086 # one word a package
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
