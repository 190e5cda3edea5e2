#!/bin/sh
# Runs a command in the node whose folder is given: enter.sh FOLDER COMMAND [ARGUMENT…]
set -eu
folder=$1
shift
while read -r cgroup; do
  # In version 2 of cgroups the node's own has none but this one for processes that are in no container.
  if [ -d "$cgroup/init" ]; then cgroup=$cgroup/init; fi
  echo $$ >"$cgroup/cgroup.procs"
done <"$folder/cgroups"
node=$(cat "$folder/pid")
exec nsenter --target "$node" --mount --net --uts --ipc --cgroup --pid="/proc/$node/ns/pid_for_children" "$@"
