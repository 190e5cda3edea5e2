#!/bin/sh
# Installs what the tests need from Debian: redis-server (bus), chromium (the chat page), ip (the suites' own network namespace).
set -eu
exec "$(dirname "$0")/apt-install.sh" redis-server=redis-server /usr/bin/chromium=chromium promtool=prometheus ip=iproute2
