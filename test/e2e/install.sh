#!/usr/bin/env bash
# Installs what `make e2e` needs beside the control plane. From Debian: buildah and mmdebstrap (images), containerd, runc and
# the CNI plugins (pods), nftables and iptables (Services, masquerading), and the two static programs that the small images
# are made of. From source: kube-scheduler, kubelet and kube-proxy. Idempotent; needs root only when something is missing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# A file of each package, and the package.
needed=(
	"/usr/bin/buildah buildah"
	"/usr/bin/mmdebstrap mmdebstrap"
	"/usr/bin/containerd containerd"
	"/usr/sbin/runc runc"
	"/usr/lib/cni/bridge containernetworking-plugins"
	"/usr/sbin/nft nftables"
	"/usr/sbin/iptables iptables"
	"/bin/busybox busybox-static"
	"/usr/bin/catatonit catatonit"
	"/bin/ip iproute2"
	"/usr/bin/unshare util-linux"
)

missing=()
for each in "${needed[@]}"; do [[ -x ${each% *} ]] || missing+=("${each#* }"); done

as_root() { if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi; }

install_packages() {
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}" >>"$log" 2>&1
}

if ((${#missing[@]})); then
	if ! command -v apt-get >/dev/null; then
		echo "install: there is no apt-get: install ${missing[*]} (the names are Debian's) with this system's package manager" >&2
		exit 1
	fi
	log=$(mktemp)
	policy=/usr/sbin/policy-rc.d
	trap 'rm -f "$log"; [[ -z ${own_policy:-} ]] || as_root rm -f "$policy"' EXIT
	# The package would start a containerd of its own; every node starts its own, where it can be removed with it.
	if [[ ! -e $policy ]]; then
		own_policy=1
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
		as_root chmod 755 "$policy"
	fi
	# The package lists of a container image are absent or old; they are fetched only when the first try needs it.
	install_packages || { as_root apt-get -qq update >>"$log" 2>&1; install_packages; } || {
		cat "$log" >&2
		echo "install: apt-get could not install ${missing[*]}" >&2
		exit 1
	}
fi

"$here/../controlplane/build.sh" kube-scheduler kubelet kube-proxy >/dev/null
