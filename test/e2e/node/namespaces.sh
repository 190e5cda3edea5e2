#!/usr/bin/env bash
# Gives a node a machine of its own, as far as a kernel can: mounts, network, processes, host name and a branch of every
# cgroup hierarchy. It lasts until standard input ends, which it does at the latest when the process that started this one is
# gone. Then the kernel ends every process of the node, containers and their shims too; the mounts, the network and its rules
# go with the last of them; what is left, the cgroups and the folder, is removed here.
#
#   namespaces.sh FOLDER LINK HOST_ADDRESS NODE_ADDRESS
#
#   FOLDER  an empty folder for what the node writes; it stands at /run, /var/lib and /var/log of the node
#   LINK    name of this machine's end of the cable to the node, whose end is its eth0; the cgroups have this name too
#
# FOLDER/ready appears when commands may be run in the node (enter.sh).
set -euo pipefail
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

readonly CGROUPS=/sys/fs/cgroup
readonly GONE_WITHIN_S=20

# Version 2 of cgroups is one hierarchy; version 1 (and the mixture of both) has one for each controller.
is_v2() { [[ -e $CGROUPS/cgroup.controllers ]]; }

# "NAME PATH" a line: the hierarchies of version 1 and where in each this process is.
v1_hierarchies() { sed -n -E 's/^[1-9][0-9]*:(name=)?([^:]+):/\2 /p' /proc/self/cgroup; }

# Prints the folder of a new cgroup in every hierarchy. In version 1 they are below our own, as is right for a part of what we
# were given; in version 2 only the root may have processes and hand its controllers down as well.
make_cgroups() {
	local link=$1 name path own
	if is_v2; then
		mkdir "$CGROUPS/$link"
		echo "$CGROUPS/$link"
		return
	fi
	while read -r name path; do
		own=$CGROUPS/$name${path%/}/$link
		mkdir "$own"
		# A new set of processors is empty, and nothing can run in it.
		if [[ $name == cpuset ]]; then
			cat "$own/../cpuset.cpus" >"$own/cpuset.cpus"
			cat "$own/../cpuset.mems" >"$own/cpuset.mems"
		fi
		echo "$own"
	done < <(v1_hierarchies)
}

enter_cgroups() {
	local cgroup
	while read -r cgroup; do echo "$BASHPID" >"$cgroup/cgroup.procs"; done <"$1/cgroups"
}

# Takes away every cgroup below the node's own; fails for as long as there is a process in one.
remove_cgroups() {
	local cgroup
	while read -r cgroup; do
		[[ ! -d $cgroup ]] || find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || return 1
	done <"$1/cgroups"
}

# /sys shows the network and the cgroups of whoever mounted it.
mount_sys() {
	local name names
	mapfile -t names < <(v1_hierarchies | cut -d' ' -f1)
	if is_v2; then
		umount --recursive --lazy /sys
		mount -t sysfs sysfs /sys
		mount -t cgroup2 cgroup2 $CGROUPS
		# Only a cgroup without processes may hand its controllers down.
		mkdir $CGROUPS/init
		while read -r process; do echo "$process" >$CGROUPS/init/cgroup.procs; done <$CGROUPS/cgroup.procs
		sed -E 's/(^| )/\1+/g' $CGROUPS/cgroup.controllers >$CGROUPS/cgroup.subtree_control
		return
	fi
	umount --recursive --lazy /sys
	mount -t sysfs sysfs /sys
	mount -t tmpfs -o mode=755 tmpfs $CGROUPS
	for name in "${names[@]}"; do
		mkdir "$CGROUPS/$name"
		if [[ $name == systemd ]]; then
			mount -t cgroup -o none,name=systemd cgroup "$CGROUPS/$name"
		else
			mount -t cgroup -o "$name" cgroup "$CGROUPS/$name"
		fi
	done
}

mount_folders() {
	local folder=$1 setting file
	mkdir "$folder"/{run,lib,log,sysctl}
	mount --bind "$folder/run" /run
	mount --bind "$folder/lib" /var/lib
	mount --bind "$folder/log" /var/log
	# kubelet sets these for the whole machine unless they are to its liking: it is shown files where they are.
	for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
		kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
		file=$folder/sysctl/$(basename "${setting%=*}")
		echo "${setting#*=}" >"$file"
		mount --bind "$file" "/proc/sys/${setting%=*}"
	done
}

# Lays a cable between this network and the one that file descriptor 9 holds.
connect() {
	local link=$1 host_address=$2 node_address=$3
	local -a there=(nsenter --net=/proc/self/fd/9 ip)
	ip link set lo up
	"${there[@]}" link add "$link" type veth peer name eth0 netns $$
	"${there[@]}" address add "$host_address/30" dev "$link"
	"${there[@]}" link set "$link" up
	ip address add "$node_address/30" dev eth0
	ip link set eth0 up
	ip route add default via "$host_address"
	echo 1 >/proc/sys/net/ipv4/ip_forward
}

inside() {
	mount_sys
	mount_folders "$1"
	connect "$2" "$3" "$4"
	hostname "$2"
	touch "$1/ready"
	exec 9<&-
	exec catatonit -P # does nothing but reap
}

remove() {
	local folder=$1 until=$((SECONDS + GONE_WITHIN_S))
	until remove_cgroups "$folder"; do
		if ((SECONDS > until)); then
			echo "namespaces.sh: a process of the node does not end; left for you to look at: $folder" >&2
			return 1
		fi
		sleep 0.05
	done
	rm -rf "$folder"
}

main() {
	local folder=$1 child
	trap '' HUP INT TERM # a terminal sends them to everyone; the end of our input is what counts
	make_cgroups "$2" >"$folder/cgroups"
	(
		enter_cgroups "$folder"
		exec 9</proc/self/ns/net
		exec setpriv --pdeathsig KILL \
			unshare --mount --net --uts --ipc --cgroup --pid --fork --kill-child=KILL --mount-proc "$0" inside "$@"
	) </dev/null >"$folder/namespaces.log" 2>&1 &
	child=$!
	echo "$child" >"$folder/pid"
	cat >/dev/null || true
	kill -9 "$child" 2>/dev/null || true
	{ wait "$child"; } 2>/dev/null || true # bash would report that it was killed
	remove "$folder"
}

if [[ $1 == inside ]]; then
	shift
	inside "$@"
else
	main "$@"
fi
