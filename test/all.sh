#!/usr/bin/env bash
# Runs every suite and ends with one line that counts all of them. Suites beside real servers go one after the other, so that
# they do not take each other's processor time.
set -uo pipefail
cd "$(dirname "$0")/.."
summaries=$(mktemp -d)
trap 'rm -rf "$summaries"' EXIT
code=0

suite() {
  local name=$1
  shift
  HOLDFAST_TEST_SUMMARY=$summaries/$name npm test --silent -- "$@" || code=1
  [ -s "$summaries/$name" ] || { echo "the $name suite crashed" >&2; echo "0 passed, 1 failed" >"$summaries/$name"; }
}

suite unit --selectProjects unit --maxWorkers=2
suite feature --selectProjects feature --runInBand
suite integration --selectProjects integration --runInBand

total=$(awk '{p += $1; f += $3} END {printf "%d passed, %d failed", p, f}' "$summaries"/*)
[ -z "${HOLDFAST_TEST_SUMMARY:-}" ] || echo "$total" >"$HOLDFAST_TEST_SUMMARY"
echo "$total"
if [[ $total == "0 passed"* || $total != *", 0 failed" ]]; then code=1; fi
exit "$code"
