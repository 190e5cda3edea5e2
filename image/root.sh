#!/bin/sh
# Lays out the root of the image from Debian packages: root.sh FOLDER. Only what Node links to, and what a scanner needs to
# tell which packages those are.
set -eu
root=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$root/etc/ssl/certs" "$root/var/lib/dpkg/status.d" "$root/tmp" "$root/home/nonroot"
chmod 1777 "$root/tmp"

packages="base-files ca-certificates gcc-12-base libc6 libgcc-s1 libstdc++6"
cd "$work"
# apt drops its privileges to download, and then cannot write here unless it may keep them.
apt-get -o APT::Sandbox::User=root download -qq $packages
for package in $packages; do
  archive=$(ls "${package}"_*.deb)
  dpkg-deb --fsys-tarfile "$archive" >files.tar
  # base-files has a folder tree and a login banner besides the one file that says which Debian this is.
  case $package in
    base-files) tar -C "$root" -xf files.tar ./etc/os-release ./usr/lib/os-release ./usr/share/doc/base-files/copyright ;;
    *)
      tar -C "$root" -xf files.tar --exclude='./usr/share/man' --exclude='./usr/share/lintian' \
        --exclude='./usr/share/locale' --exclude='./usr/lib/*/gconv' --exclude='./usr/sbin' --exclude='./usr/bin' \
        --exclude='changelog*' --exclude='NEWS*' --exclude='./etc/ca-certificates'
      ;;
  esac
  dpkg-deb --field "$archive" >"$root/var/lib/dpkg/status.d/$package"
done

# What the packages' installation scripts would do.
find "$root/usr/share/ca-certificates" -name '*.crt' | LC_ALL=C sort | xargs cat >"$root/etc/ssl/certs/ca-certificates.crt"
rm -rf "$root/usr/share/ca-certificates"
echo 'root:x:0:0:root:/root:/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' >"$root/etc/passwd"
echo 'root:x:0:
nonroot:x:65532:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
chown 65532:65532 "$root/home/nonroot"
find "$root" -depth -type d -empty ! -path "$root/tmp" ! -path "$root/home/*" -delete
