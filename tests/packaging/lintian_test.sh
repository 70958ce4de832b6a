#!/bin/bash
# Debian's own check of the Debian package.
set -euo pipefail
[[ -e ${PACKAGES:?the directory of the packages to test}/new ]] || { echo 'SKIPPED: no packages were built'; exit 77; }
command -v lintian >/dev/null || { echo 'SKIPPED: needs lintian'; exit 77; }
lintian --allow-root --no-user-dirs --tag-display-limit 0 --display-info --fail-on error,warning "$PACKAGES"/new/*.deb
