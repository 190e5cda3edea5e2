#!/usr/bin/env bash
# Runs a command in a network namespace of its own: nothing that a test binds can be reached from outside, and nothing it
# connects to can leave. The loopback device there has addresses besides 127.0.0.1, because the API server refuses
# EndpointSlices that point to loopback addresses: HOLDFAST_TEST_SUBNET (198.18.0.0/24) is all local.
set -euo pipefail
if [ -n "${HOLDFAST_TEST_SUBNET:-}" ]; then exec "$@"; fi
export HOLDFAST_TEST_SUBNET=198.18.0
unshare=(unshare --net)
[ "$(id -u)" = 0 ] || unshare+=(--map-root-user)
exec "${unshare[@]}" sh -c 'ip link set lo up && ip addr add 198.18.0.1/24 dev lo && exec "$@"' in-netns "$@"
