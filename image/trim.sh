#!/bin/sh
# Removes from node_modules what only compilers, editors and other runtimes read: trim.sh FOLDER. What stays is complete for
# Node, for `npm ls` and for licence scanners.
set -eu
cd "$1"

find . -type f \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' -o -name '*.tsbuildinfo' \
  -o -name '*.flow' -o -name '.editorconfig' -o -name '.eslintrc*' -o -name '.prettierrc*' -o -name '.npmignore' \) -delete
# TypeScript that was published beside its compiled form.
find . -type f \( -name '*.ts' -o -name '*.mts' -o -name '*.cts' \) -delete
find . -type f -iname '*.md' ! -iname 'licen[cs]e*' ! -iname 'notice*' ! -iname 'copying*' -delete
# Native code of the packages that also run on Bare; on Node they are plain JavaScript.
find . -type d -path './bare-*/prebuilds' -prune -exec rm -rf {} +
find . -type d \( -name test -o -name tests -o -name __tests__ -o -name .github -o -name docs -o -name example -o -name examples \) \
  ! -path '*/dist/*' ! -path '*/lib/*' ! -path '*/build/*' -prune -exec rm -rf {} +
find . -depth -type d -empty -delete
