#!/usr/bin/env bash
# Runs a command in a network namespace of its own: nothing that a test binds can be reached from outside, and nothing it
# connects to can leave. The loopback device there has addresses besides 127.0.0.1, because the API server refuses
# EndpointSlices that point to loopback addresses: HOLDFAST_TEST_SUBNET (198.18.0.0/24) is all local. What is sent to
# HOLDFAST_TEST_BLACK_HOLE vanishes: nothing answers there, and nothing says so.
set -euo pipefail
if [ -n "${HOLDFAST_TEST_SUBNET:-}" ]; then exec "$@"; fi
export HOLDFAST_TEST_SUBNET=198.18.0 HOLDFAST_TEST_BLACK_HOLE=203.0.113.1
unshare=(unshare --net)
[ "$(id -u)" = 0 ] || unshare+=(--map-root-user)
# A route through loopback to an address that is not local: the packets come back in and are dropped, unlike those on a
# `blackhole` route, which fail at once.
network='ip link set lo up && ip addr add 198.18.0.1/24 dev lo && ip route add 203.0.113.1/32 dev lo'
exec "${unshare[@]}" sh -c "$network"' && exec "$@"' in-netns "$@"
