#!/bin/bash
# The tarball, installed as INSTALL.md says, with its services run by OpenRC.
export DAEMONS=/usr/local/bin
# shellcheck source=tests/packaging/package_root.sh
source "$(dirname "${BASH_SOURCE[0]}")/package_root.sh"
# shellcheck source=tests/packaging/openrc.sh
source "$(dirname "${BASH_SOURCE[0]}")/openrc.sh"
enter_root
boot_openrc

tarball=$(echo "$packages"/new/guestagent-*-linux-*.tar.gz)
settings=$root/etc/default/rancher-desktop-guestagent
unpack() { tar -xzf "$tarball" -C "$root"; }
copy_settings() { inside cp -n /usr/local/share/doc/guestagent/default /etc/default/rancher-desktop-guestagent; }

before=$(changed_files)
entries=$(tar --list --verbose --numeric-owner --gzip --file "$tarball")
refuse 'all entries are files of root' grep --invert-match --quiet '^-r[w-][x-]r-[x-]r-[x-] 0/0 ' <<<"$entries"
names=$(tar -tzf "$tarball")
check 'in order' [ "$names" = "$(LC_ALL=C sort <<<"$names")" ]
refuse 'in the places of a WSL distribution' grep --invert-match --extended-regexp --quiet \
  '^(usr/local/(bin|share)/|etc/init\.d/|etc/logrotate\.d/)' <<<"$names"
for name in rancher-desktop-guestagent wsl-proxy network-setup vm-switch; do
  check "as $name" grep --quiet "^usr/local/bin/$name$" <<<"$names"
done

check 'it is unpacked' unpack
check 'with settings' copy_settings
configure "$settings"
changed=$(cat "$settings")
for name in "${services[@]}"; do check "$name starts" service --quiet "$name" start; done
for name in "${services[@]}" vm-switch; do eventually "$name is ready" logs "$name" ' ready '; done
check 'an upgrade is unpacked while all run' unpack
copy_settings
check 'settings survive' [ "$(cat "$settings")" = "$changed" ]
for name in "${services[@]}"; do check "$name stops" service --quiet "$name" stop; done
check 'no program is left' none_runs

check 'a service is enabled' inside rc-update --quiet add host-switch default
refuse 'which links it' nothing_is_enabled
check 'a service is disabled' inside rc-update --quiet del host-switch default
check 'none is enabled any more' nothing_is_enabled

sed 's,^,/,' <<<"$names" | inside xargs rm -f
rm -rf "$settings" "$root/var/lib/rancher-desktop-guestagent" "$root"/var/log/*.log "$root/etc/vtunnel.yaml" \
  "$root/usr/local/bin/wsl-init"
check 'a removal leaves nothing' [ "$(changed_files)" = "$before" ]
