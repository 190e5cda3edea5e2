#!/usr/bin/env bash
# Builds the image with buildah and prints, as its last line, the path of an archive of it (for `docker load`, `ctr images
# import`, `skopeo copy docker-archive:…`). Progress goes to stderr. Needs root, what install.sh installs, and Debian's packages
# instead of a registry.
#
#   image/build.sh [TAG]      default: localhost/holdfast:<version of package.json>
#
#   BUILD_IMAGE     an image to compile in, instead of one made from Debian's packages (see Dockerfile)
#   BASE_IMAGE      an image to lay the program upon, instead of a root made from Debian's packages
#   HOLDFAST_CACHE  where images and archive are kept (default: $XDG_CACHE_HOME/holdfast or ~/.cache/holdfast)
set -euo pipefail

readonly NPM_VERSION=11.19.1
readonly SUITE=bookworm
readonly STORE_LIMIT_MIB=8192
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${HOLDFAST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/holdfast}/image

say() { echo "image: $*" >&2; }

# The images are kept apart from the system's own. What buildah notes of its mounts must not outlive them.
in_store() { buildah --root "$cache/store" --runroot "$state" "$@"; }

# Steps of earlier builds make the next one fast; they are let go when they take too much.
tidy_store() {
	in_store rm --all >/dev/null # containers of builds that failed
	if (($(du -sm "$cache/store" | cut -f1) > STORE_LIMIT_MIB)); then in_store rmi --prune >&2; fi
}

field() { node -p "require('$project/package.json').$1"; }

# An image with apt, npm and the Node release that package.json names; prints its name. Made once for each release.
make_build_image() {
	local node=$1 arch name=localhost/holdfast-build:$SUITE-node$1-npm$NPM_VERSION dir container
	if in_store inspect --type image "$name" >/dev/null 2>&1; then
		echo "$name"
		return
	fi
	say "making $name from Debian's packages (a minute or two, once)"
	dir=$state/build-image
	mkdir "$dir"
	arch=$(node -p process.arch)
	mmdebstrap --quiet --variant=minbase --include=ca-certificates,binutils "$SUITE" "$dir/root.tar" >&2
	npm install --prefix "$dir/npm" --no-save --ignore-scripts --no-audit --no-fund --loglevel=error \
		"npm@$NPM_VERSION" "node-linux-$arch@$node" >&2
	container=$(in_store from scratch)
	in_store add --quiet "$container" "$dir/root.tar" / >&2
	in_store copy --quiet "$container" "$dir/npm/node_modules/node-linux-$arch/bin/node" /usr/local/bin/node >&2
	in_store copy --quiet "$container" "$dir/npm/node_modules/npm" /usr/local/lib/node_modules/npm >&2
	in_store run --isolation chroot "$container" -- \
		ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm >&2
	in_store commit --quiet --rm "$container" "$name" >&2
	echo "$name"
}

bud() { in_store bud --isolation chroot --network host --layers --format docker "$@" "$project" >&2; }

main() {
	local tag version archive arguments=() base=${BASE_IMAGE:-localhost/holdfast-base:$SUITE}
	version=$(field version)
	tag=${1:-localhost/holdfast:$version}
	archive=$cache/holdfast-$version.tar
	mkdir -p "$cache"
	exec 9>"$cache/lock"
	flock 9
	tidy_store

	arguments=(--build-arg "BUILD_IMAGE=${BUILD_IMAGE:-$(make_build_image "$(field devDependencies.node)")}")
	[[ ! -f $HOME/.npmrc ]] || arguments+=(--secret "id=npmrc,src=$HOME/.npmrc")
	[[ -z ${NODE_EXTRA_CA_CERTS:-} ]] || arguments+=(--secret "id=ca,src=$NODE_EXTRA_CA_CERTS")
	# Built apart: buildah 1.28 does not look for a stage where a build argument names it.
	[[ -n ${BASE_IMAGE:-} ]] || bud --quiet "${arguments[@]}" --target root --tag "$base"
	say "building $tag"
	bud "${arguments[@]}" --build-arg "BASE_IMAGE=$base" --tag "$tag"
	rm -f "$archive"
	in_store push --quiet "$tag" "docker-archive:$archive:$tag" >&2
	say "$tag: $(in_store images --format '{{.ID}} {{.Size}}' "$tag")"
	echo "$archive"
}

# In a mount namespace, so that what buildah mounts goes with it, even when a build fails.
if [[ ${HOLDFAST_BUILD_STATE:-} == "" ]]; then
	state=$(mktemp -d)
	trap 'rm -rf "$state"' EXIT
	HOLDFAST_BUILD_STATE=$state unshare --mount "$0" "$@"
else
	state=$HOLDFAST_BUILD_STATE
	main "$@"
fi
