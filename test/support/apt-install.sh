#!/bin/sh
# Installs Debian packages that are missing, quietly: apt-install.sh PROGRAM=PACKAGE…
# A package is missing when its program is not there: a name, or the path of it or of anything else that the package brings. When
# all are there, nothing happens and no root is needed.
set -eu
PATH=$PATH:/usr/sbin:/sbin

missing=""
for each; do
  case $each in
    /*) [ -e "${each%%=*}" ] ;;
    *) command -v "${each%%=*}" >/dev/null 2>&1 ;;
  esac || missing="$missing ${each#*=}"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "install:$missing missing and there is no apt-get: install them with this system's package manager" >&2
  exit 1
fi

as_root=""
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "install:$missing missing: run 'apt-get install$missing' as root" >&2
    exit 1
  fi
  as_root="sudo"
fi

log="$(mktemp)"
# A package may start a daemon of its own on its usual port; whoever needs one starts it on a free port and stops it again.
policy=/usr/sbin/policy-rc.d
own_policy=""
if [ ! -e "$policy" ]; then
  own_policy=1
  printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
  $as_root chmod 755 "$policy"
fi
cleanup() {
  [ -z "$own_policy" ] || $as_root rm -f "$policy"
  rm -f "$log"
}
trap cleanup EXIT

# shellcheck disable=SC2086 # word splitting is wanted: one word for each package
install() {
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq \
    --no-install-recommends $missing >>"$log" 2>&1
}

# The package lists of a container image are absent or old; fetch them only when the first try needs it.
if ! install; then
  $as_root apt-get -qq update >>"$log" 2>&1 || true
  if ! install; then
    cat "$log" >&2
    echo "install: apt-get could not install$missing" >&2
    exit 1
  fi
fi
