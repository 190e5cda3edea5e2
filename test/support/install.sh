#!/bin/sh
# Installs what the tests need from Debian: redis-server (bus), chromium (the chat page), promtool (alerts), ip (the suites' own
# network namespace), and the official test suite of JSON Schema, which is found in a Perl package.
set -eu
exec "$(dirname "$0")/apt-install.sh" redis-server=redis-server /usr/bin/chromium=chromium promtool=prometheus ip=iproute2 \
  /usr/share/perl5/auto/share/dist/Test-JSON-Schema-Acceptance/tests/draft2020-12=libtest-json-schema-acceptance-perl
