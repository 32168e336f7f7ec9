#!/bin/sh
# Installs the shells that completion and `dev env` are tested in, what sets the man page, the terminal that the dashboard is
# tested in, and what runs the page's modules without a browser, where root can install Debian packages. Anybody else tests
# with what is there: what is missing is skipped, and named.
set -eu

missing=
command -v zsh >/dev/null || missing="$missing zsh"
command -v fish >/dev/null || missing="$missing fish"
command -v groff >/dev/null || missing="$missing groff"
command -v tmux >/dev/null || missing="$missing tmux"
command -v node >/dev/null || missing="$missing nodejs"

[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
	echo "not installed, so what needs it is not tested:$missing" >&2
	exit 0
fi

apt-get update -q
# shellcheck disable=SC2086 # one word a package
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
