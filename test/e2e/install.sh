#!/bin/sh
# Installs what `make e2e` needs beside the control plane and the image. From Debian: buildah (small images), containerd, runc
# and the CNI plugins (pods), nftables and iptables (Services, masquerading), dnsmasq (their names), and the two static programs
# that the small images are made of. From source: kube-scheduler, kubelet and kube-proxy.
set -eu
cd "$(dirname "$0")"
../support/apt-install.sh buildah=buildah containerd=containerd runc=runc /usr/lib/cni/bridge=containernetworking-plugins \
  nft=nftables iptables=iptables /usr/sbin/dnsmasq=dnsmasq-base /bin/busybox=busybox-static /usr/bin/catatonit=catatonit ip=iproute2 unshare=util-linux
../controlplane/build.sh kube-scheduler kubelet kube-proxy >/dev/null
