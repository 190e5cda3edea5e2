#!/usr/bin/env bash
# Builds Helm 3 from the version pinned in go.mod, beside the Helm 4 of the control plane: its modules and those do not fit
# together. Prints the program's path as its last line (about three minutes on two cores, once for each version).
#
#   HOLDFAST_CACHE  where it is kept (default: $XDG_CACHE_HOME/holdfast or ~/.cache/holdfast)
set -euo pipefail

module=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
required() { awk -v module="$1" '$1 == module && $2 ~ /^v/ { print $2; exit }' "$module/go.mod"; }
version=$(required helm.sh/helm/v3)
kubernetes=$(required k8s.io/client-go)
home=${HOLDFAST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/holdfast}/helm/$version
mkdir -p "$home"

exec 9>"$home/lock"
if command -v flock >/dev/null; then flock 9; fi
if [[ ! -x $home/helm ]]; then
	command -v go >/dev/null || {
		echo "helm3: there is no 'go' on the PATH: install Go (https://go.dev/dl)" >&2
		exit 1
	}
	echo "helm3: building helm $version" >&2
	# Without these it takes every cluster for Kubernetes 1.20 where it does not ask one.
	minor=${kubernetes#v0.}
	flags="-s -w -X helm.sh/helm/v3/internal/version.version=$version"
	for package in chartutil lint/rules; do
		flags+=" -X helm.sh/helm/v3/pkg/$package.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/$package.k8sVersionMinor=${minor%%.*}"
	done
	(cd "$module" && GOWORK=off GOFLAGS=-mod=readonly CGO_ENABLED=0 nice -n 10 \
		go build -p 2 -trimpath -buildvcs=false -ldflags "$flags" -o "$home/.helm.$$" helm.sh/helm/v3/cmd/helm) >&2
	mv -f "$home/.helm.$$" "$home/helm"
fi
echo "$home/helm"
