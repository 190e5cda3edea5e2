#!/bin/sh
# Installs what image/build.sh needs from Debian.
set -eu
exec "$(dirname "$0")/../test/support/apt-install.sh" buildah=buildah mmdebstrap=mmdebstrap
