#!/bin/sh
# Installs what `make bench` measures beside Holdfast: nginx and HAProxy from Debian. Idempotent and quiet.
set -eu

missing=""
[ -x /usr/sbin/nginx ] || missing="$missing nginx-light"
[ -x /usr/sbin/haproxy ] || missing="$missing haproxy"
[ -n "$missing" ] || exit 0

as_root=""
[ "$(id -u)" -eq 0 ] || as_root="sudo"
# The packages would start daemons of their own on port 80; the bench starts its own on free ports.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap '$as_root rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
  $as_root chmod 755 "$policy"
fi

# shellcheck disable=SC2086 # word splitting is wanted: one word for each package
install() {
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq \
    --no-install-recommends $missing >/dev/null
}

install || { $as_root apt-get -qq update >/dev/null && install; }
