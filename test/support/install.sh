#!/bin/sh
# Installs what the tests need from Debian: redis-server (bus) and chromium (the chat page).
set -eu
exec "$(dirname "$0")/apt-install.sh" redis-server=redis-server /usr/bin/chromium=chromium
