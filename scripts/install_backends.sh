#!/bin/sh
# Installs the servers and the browser that tests run on, where root can install Debian packages, and nowhere else.
# None of them is started, neither now nor at boot: the tests start their own.
set -eu

PATH=$PATH:/usr/sbin
for directory in /usr/lib/postgresql/*/bin; do
	PATH=$PATH:$directory
done

missing=
command -v redis-server >/dev/null || missing="$missing redis-server"
command -v nats-server >/dev/null || missing="$missing nats-server"
command -v postgres >/dev/null || missing="$missing postgresql"
command -v prometheus >/dev/null || missing="$missing prometheus"
command -v clickhouse-server >/dev/null || missing="$missing clickhouse-server"
command -v mvn >/dev/null || missing="$missing maven"
# A browser and what drives it, for the page that the daemon serves.
command -v chromedriver >/dev/null || missing="$missing chromium chromium-driver"

[ -n "$missing" ] || exit 0
command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] || exit 0

# Debian starts what it installs unless this program says no; one that is there already has its reasons.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	trap 'rm -f "$policy"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi

apt-get update -q
# shellcheck disable=SC2086 # one word a package
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing

if [ -d /run/systemd/system ]; then
	for package in $missing; do
		case $package in maven | chromium | chromium-driver) continue ;; esac
		systemctl disable --quiet "$package"
	done
fi
