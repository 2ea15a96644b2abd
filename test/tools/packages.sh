#!/bin/bash
#
# packages.sh
#		Install the Debian packages that the demo (packages.sh demo), the shop over
#		HTTP (serve), the tests (test), the tests of the service alone (service),
#		those of its pages in a browser (browser) or the tests beside a real Kafka
#		broker (kafka) need.  Does nothing when all of them are there.
#
# As root directly, else with sudo.  postgresql-15 would start a cluster of the
# system when it is installed for the first time; it is told not to, and the
# setting is put back afterwards.
#
set -euo pipefail

demo=(gcc libc6-dev make gzip util-linux postgresql-15 postgresql-client-15
	postgresql-server-dev-15 libopenblas0-pthread librdkafka1 librdkafka-dev)
serve=("${demo[@]}" python3-fastapi python3-uvicorn python3-uvloop python3-asyncpg
	python3-prometheus-client python3-confluent-kafka)
test=("${demo[@]}" git perl libipc-run-perl binutils clang-14 clang-format-14
	libclang-rt-14-dev gcovr kcat python3-venv python3-fastapi python3-uvicorn python3-uvloop
	python3-asyncpg python3-prometheus-client python3-confluent-kafka python3-jsonschema python3-yaml procps)
service=("${serve[@]}" python3-jsonschema python3-yaml haproxy procps)
browser=("${service[@]}" chromium chromium-driver python3-selenium)
kafka=("${test[@]}" maven default-jre-headless openssl)

case "${1:-test}" in
	demo) wanted=("${demo[@]}") ;;
	serve) wanted=("${serve[@]}") ;;
	test) wanted=("${test[@]}") ;;
	service) wanted=("${service[@]}") ;;
	browser) wanted=("${browser[@]}") ;;
	kafka) wanted=("${kafka[@]}") ;;
	*) echo "usage: packages.sh demo|serve|test|service|browser|kafka" >&2; exit 2 ;;
esac

is_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=()
for package in "${wanted[@]}"; do
	is_installed "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "packages missing: ${missing[*]}" >&2
	echo "This is not Debian: install what corresponds to them by hand." >&2
	exit 1
fi

root=()
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || {
		echo "packages missing: ${missing[*]}" >&2
		echo "Install them as root, or install sudo." >&2
		exit 1
	}
	root=(sudo)
fi
install() {
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -q --no-install-recommends "$@" </dev/null >&2
}

echo "installing: ${missing[*]}" >&2
"${root[@]}" apt-get update -q </dev/null >&2

if is_installed postgresql-15; then
	install "${missing[@]}"
else
	conf=/etc/postgresql-common/createcluster.conf
	install postgresql-common
	saved=$(mktemp)
	cp "$conf" "$saved"
	restore() {
		"${root[@]}" cp "$saved" "$conf"
		rm -f "$saved"
	}
	trap restore EXIT
	echo "create_main_cluster = false" | "${root[@]}" tee -a "$conf" >/dev/null
	install "${missing[@]}"
fi
