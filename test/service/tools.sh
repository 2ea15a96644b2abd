#!/bin/bash
#
# tools.sh
#		What the tests of the service have beside Debian's packages, into
#		build/service-tools: schemas of Kubernetes and axe-core from PyPI, kustomize
#		where Go is there.  What cannot be had is named; its tests are skipped.
#
set -uo pipefail
cd "$(dirname "$0")/../.."
into=$PWD/build/service-tools
if [ ! -x "$into/bin/kubernetes-validate" ]; then
	rm -rf "$into"
	/usr/bin/python3 -m venv "$into" && "$into/bin/pip" -q --disable-pip-version-check install kubernetes-validate==1.37.0 ||
		echo "no kubernetes-validate: the manifests are not held against schemas"
fi
if [ ! -f "$into/axe.min.js" ]; then
	"$into/bin/pip" -q --disable-pip-version-check install --no-deps axe-selenium-python==2.1.6 &&
		cp "$into"/lib/python3*/site-packages/axe_selenium_python/node_modules/axe-core/axe.min.js "$into/" ||
		echo "no axe-core: the pages are not checked for accessibility"
fi
if [ ! -x "$into/bin/kustomize" ]; then
	command -v go >/dev/null && GOBIN=$into/bin go install sigs.k8s.io/kustomize/kustomize/v5@v5.4.3 ||
		echo "no kustomize: the overlays are not built"
fi
