#!/bin/bash
# Makes what the other tests of the packages install: $PACKAGES/new with the packages of $GUESTAGENT_PROGRAM_DIR,
# $PACKAGES/old with a lower version and other settings, $PACKAGES/first with OpenRC scripts as conffiles. Checks that the same input gives the same bytes.
set -euo pipefail
directory=${PACKAGES:?the directory to make}
programs=$(realpath "${GUESTAGENT_PROGRAM_DIR:?the directory of the programs}")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
rm -rf "$directory"
! readelf --wide --program-headers "$programs/host-switch" | grep --quiet INTERP ||
  { echo 'SKIPPED: the programs of this build are dynamic'; exit 77; }
((EUID == 0)) || { echo 'SKIPPED: needs root'; exit 77; }
debian=$(scripts/debian_root)
mkdir -p "$directory/mount"
ln -s "$debian" "$directory/debian-root"

scripts/package --quick --programs "$programs" --output "$directory/new"
(umask 077 && TZ=Asia/Kathmandu LC_ALL=C.UTF-8 scripts/package --quick --programs "$programs" --output "$directory/again")
for package in "$directory"/new/*; do
  cmp "$package" "$directory/again/${package##*/}"
  echo "ok: the same bytes again: ${package##*/}"
done
rm -rf "$directory/again"

# The packages were made, so the links of their documents are right. Wrong ones are found.
mkdir "$directory/documents"
printf '# A b\n[here](#a-b), [there](y.md#c), [twice\nover](../documents/x.md#a-b)\n' >"$directory/documents/x.md"
printf '# C\n' >"$directory/documents/y.md"
scripts/check_links "$directory"/documents/*
printf '[here](#b) [there](y.md#d) `[code](#b)` [gone](z.md)\n' >"$directory/documents/z"
if scripts/check_links "$directory"/documents/* >"$directory/said" || (($(wc -l <"$directory/said") != 3)); then
  echo 'FAILED: links that lead nowhere are found:' && cat "$directory/said"
  exit 1
fi
echo 'ok: links that lead nowhere are found'
rm -r "$directory"/{documents,said}

# A program that rejects the flags of its unit.
mkdir "$directory/wrong"
ln -s "$programs"/* "$directory/wrong"
rm "$directory/wrong/wsl-proxy"
printf '#!/bin/sh\ncase "$*" in *-h) exit 2 ;; esac\nexec %q "$@"\n' "$programs/wsl-proxy" >"$directory/wrong/wsl-proxy"
chmod 0755 "$directory/wrong/wsl-proxy"
if scripts/package --quick --programs "$directory/wrong" --output "$directory/checked" 2>"$directory/said"; then
  echo 'FAILED: a package of a program that rejects its flags'
  exit 1
fi
grep --quiet "wsl-proxy rejects" "$directory/said"
[[ -z $(ls -A "$directory/checked") ]]
echo 'ok: a package that fails its checks is not left behind'
rm -r "$directory"/{wrong,checked,said}

# build_old NAME: of the tree, into a directory of this name.
build_old() {
  mkdir "$directory/$1"
  dpkg-deb --root-owner-group -Znone --build "$directory/tree" "$directory/$1/guestagent_0.0.1.deb" >/dev/null
}

# The former version: its settings differ from those of the present one, so an upgrade brings others.
cp "$directory"/new/*.deb "$directory/package.deb"
dpkg-deb --raw-extract "$directory/package.deb" "$directory/tree"
sed -i 's/^Version: .*/Version: 0.0.1/' "$directory/tree/DEBIAN/control"
sed -i '1i # Settings of the former version.' "$directory/tree/etc/default/rancher-desktop-guestagent"
sed -i '1i # A script of the former version.' "$directory/tree/etc/logrotate.d/guestagent"
build_old old

# The first packages: the OpenRC scripts are conffiles in /etc/init.d, and no script is the maintainer's.
rm "$directory"/tree/DEBIAN/{preinst,postinst,prerm,postrm}
mv "$directory/tree/usr/share/guestagent/openrc" "$directory/tree/etc/init.d"
sed -i '1a # A script of the first version.' "$directory"/tree/etc/init.d/*
(cd "$directory/tree" && find etc -type f -printf '/%p\n' >DEBIAN/conffiles)
build_old first
rm -rf "$directory/tree" "$directory/package.deb"
