#!/usr/bin/env bash
# Builds the named tools, or the control plane's five when none is named, from the versions pinned in go.mod and prints, as
# its last line, the folder that holds them. Progress goes to stderr. What is there already is not built again.
#
#   build.sh                                       etcd, kube-apiserver, kube-controller-manager, kubectl and helm
#   build.sh kube-scheduler kubelet kube-proxy     what a node needs beside them
#
#   HOLDFAST_CACHE      where the binaries are kept (default: $XDG_CACHE_HOME/holdfast or ~/.cache/holdfast)
#   KUBEBUILDER_ASSETS  a folder whose etcd, kube-apiserver and kubectl are used instead of building those
set -euo pipefail

module=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${HOLDFAST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/holdfast}/controlplane

# Name and Go package of every binary; the server comes first because whatever waits for the build waits for it.
tools=(
	"kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver"
	"etcd go.etcd.io/etcd/server/v3"
	"kubectl k8s.io/kubernetes/cmd/kubectl"
	"kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager"
	"helm helm.sh/helm/v4/cmd/helm"
	"kube-scheduler k8s.io/kubernetes/cmd/kube-scheduler"
	"kubelet k8s.io/kubernetes/cmd/kubelet"
	"kube-proxy k8s.io/kubernetes/cmd/kube-proxy"
)
control_plane=(kube-apiserver etcd kubectl kube-controller-manager helm)

say() { echo "controlplane: $*" >&2; }
fail() {
	say "$*"
	exit 1
}

# The version that go.mod requires of a module.
required() { awk -v module="$1" '$1 == module && $2 ~ /^v/ { print $2; exit }' "$module/go.mod"; }

digest() {
	if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -c1-12
}

# Binaries built without these say v0.0.0, and clients that ask the server for its version then refuse to talk to it.
linker_flags() {
	local version=$1 minor pair
	minor=${version#v1.}
	printf '%s' "-s -w -X helm.sh/helm/v4/internal/version.version=$(required helm.sh/helm/v4)"
	for pair in "gitVersion=$version" gitMajor=1 "gitMinor=${minor%%.*}" gitTreeState=clean; do
		printf ' -X k8s.io/component-base/version.%s -X k8s.io/client-go/pkg/version.%s' "$pair" "$pair"
	done
}

# Builds one binary beside its place and moves it there, so that a run that was cut never leaves half a binary.
build() {
	local name=$1 package=$2 bin=$3 flags=$4 start=$SECONDS
	command -v go >/dev/null || fail "$name must be built and there is no 'go' on the PATH: install Go $(awk '/^go /{print $2}' "$module/go.mod") or newer (https://go.dev/dl)"
	say "building $name (the first build downloads its modules and takes minutes)"
	rm -f "$bin/.$name".*
	(cd "$module" && GOWORK=off GOFLAGS=-mod=readonly CGO_ENABLED=0 nice -n 10 \
		go build -p 2 -trimpath -buildvcs=false -ldflags "$flags" -o "$bin/.$name.$$" "$package") >&2 ||
		fail "building $name failed; the Go error stands above"
	mv -f "$bin/.$name.$$" "$bin/$name"
	say "built $name in $((SECONDS - start)) s"
}

# Cuts the table down to the named tools.
choose() {
	local name tool chosen=()
	for name in "$@"; do
		for tool in "${tools[@]}"; do [[ ${tool%% *} != "$name" ]] || chosen+=("$tool"); done
	done
	((${#chosen[@]} == $#)) || fail "unknown tool among '$*': known are $(printf '%s ' "${tools[@]%% *}")"
	tools=("${chosen[@]}")
}

has_all() {
	local tool
	for tool in "${tools[@]}"; do [[ -x $1/${tool%% *} ]] || return 1; done
}

# Builds into `home/bin` whatever neither it nor the assets hold.
build_missing() {
	local bin=$1 assets=$2 flags=$3 tool name
	for tool in "${tools[@]}"; do
		name=${tool%% *}
		if [[ -n $assets && -x $assets/$name ]]; then continue; fi
		[[ -x $bin/$name ]] || build "$name" "${tool#* }" "$bin" "$flags"
	done
}

# A folder of links: the assets' binaries, and the built ones for what the assets lack.
link_assets() {
	local links=$1 assets=$2 bin=$3 tool name from
	mkdir -p "$links"
	for tool in "${tools[@]}"; do
		name=${tool%% *}
		from=$bin/$name
		if [[ -x $assets/$name ]]; then from=$assets/$name; fi
		ln -sfn "$from" "$links/$name"
	done
}

main() {
	local version key home assets=${KUBEBUILDER_ASSETS:-}
	(($#)) || set -- "${control_plane[@]}"
	choose "$@"
	version=$(required k8s.io/kubernetes)
	[[ -n $version ]] || fail "go.mod requires no version of k8s.io/kubernetes"
	if [[ -n $assets ]]; then
		assets=$(cd "$assets" 2>/dev/null && pwd) || fail "KUBEBUILDER_ASSETS names $KUBEBUILDER_ASSETS, which is no folder: correct or unset it"
	fi
	key=$version-$(cat "$module/go.mod" "$module/go.sum" | digest)
	home=$cache/$key
	mkdir -p "$home/bin"

	if [[ -n $assets ]] || ! has_all "$home/bin"; then
		# Two runs at once build once: the second waits here and finds everything there.
		exec 9>"$home/lock"
		if command -v flock >/dev/null; then flock 9; fi
		build_missing "$home/bin" "$assets" "$(linker_flags "$version")"
	fi
	if [[ -n $assets ]]; then
		home=$home/assets-$(printf '%s' "$assets" | digest)
		link_assets "$home/bin" "$assets" "${home%/*}/bin"
	fi
	echo "$home/bin"
}

main "$@"
