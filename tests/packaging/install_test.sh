#!/bin/bash
# The Debian package in a root without a running service manager, and beside a systemd whose systemctl notes what it is
# asked for. The real systemd runs the units in the virtual machine.
# shellcheck source=tests/packaging/package_root.sh
source "$(dirname "${BASH_SOURCE[0]}")/package_root.sh"
enter_root

settings=$root/etc/default/rancher-desktop-guestagent

# Services are files in /run/active. try-restart hangs while /run/hang exists.
simulate_systemd() {
  mkdir -p "$root/run/systemd/system" "$root/run/active"
  mv "$root/usr/bin/systemctl" "$root/usr/bin/systemctl.real"
  cat >"$root/usr/bin/systemctl" <<'SH'
#!/bin/sh
arguments=$*
while [ "${1#--}" != "$1" ]; do shift; done
action=$1
shift
case $action in
  daemon-reload) echo reloaded >>/run/actions ;;
  try-restart | stop)
    for unit; do
      [ -e "/run/active/$unit" ] || continue
      [ "$action" != stop ] || rm "/run/active/$unit"
      echo "$action $unit" >>/run/actions
      [ ! -e /run/hang ] || exec sleep infinity
    done
    ;;
  *) exec systemctl.real $arguments ;;
esac
SH
  chmod 0755 "$root/usr/bin/systemctl"
}
actions() {
  [[ ! -e $root/run/actions ]] || cat "$root/run/actions"
  rm -f "$root/run/actions"
}
# did WHAT LINE…: what systemctl was asked for since the last time.
did() {
  local what=$1 said
  shift
  said=$(actions)
  [[ $said == "$(printf '%s\n' "$@")" ]] || fail "$what: systemctl did: $said"
  echo "ok: $what" >&3
}

inside dpkg --purge openrc insserv >/dev/null 2>&1  # most machines with systemd have neither
before=$(changed_files)
check 'installs without a service manager' install_package new
check 'a new installation enables nothing' nothing_is_enabled
check 'a new installation starts nothing' none_runs
check 'the units are right' inside systemd-analyze verify --man=no --recursive-errors=no \
  $(printf '/lib/systemd/system/%s.service ' "${services[@]}")
check 'logrotate takes its file' inside logrotate --debug /etc/logrotate.d/guestagent 2>/dev/null
check 'dpkg finds all files as they were packed' [ -z "$(inside dpkg --verify guestagent)" ]
check 'purges without a service manager' inside dpkg --purge guestagent >/dev/null
check 'a purge leaves nothing' [ "$(changed_files)" = "$before" ]

simulate_systemd
before=$(changed_files)
check 'installs under systemd' install_package old
did 'a new installation starts nothing' reloaded
check 'a new installation enables nothing' nothing_is_enabled
check 'systemctl enables units' inside systemctl --quiet enable host-switch.service wsl-proxy.service >/dev/null 2>&1
actions >/dev/null
touch "$root"/run/active/{host-switch,vtunnel-peer}.service
sed -i 's/^HOST_SWITCH_FLAGS=.*/HOST_SWITCH_FLAGS="-network=kernel"/' "$settings"

check 'OpenRC has no scripts' [ ! -e "$root/etc/init.d/host-switch" ]
check 'an upgrade works' install_package new --force-confdef --force-confold
did 'an upgrade restarts what runs' reloaded 'try-restart host-switch.service' 'try-restart vtunnel-peer.service'
check 'changed settings survive' grep --quiet '^HOST_SWITCH_FLAGS="-network=kernel"$' "$settings"
check 'the new settings are beside them' grep --quiet '^HOST_SWITCH_FLAGS=""$' "$settings.dpkg-dist"
refuse 'an unchanged file is replaced' grep --quiet 'former version' "$root/etc/logrotate.d/guestagent"
check 'what was enabled stays so' [ -L "$root/etc/systemd/system/multi-user.target.wants/host-switch.service" ]
refuse 'nothing else is enabled' [ -e "$root/etc/systemd/system/multi-user.target.wants/vtunnel-peer.service" ]

say_policy 101
check 'an upgrade works where policy-rc.d forbids restarts' install_package new
did 'then nothing is restarted' reloaded
rm "$root/usr/sbin/policy-rc.d"

# Killed between unpacking and configuring, and while the units restart.
inside dpkg --unpack /tmp/new.deb >/dev/null
check 'an interrupted installation is completed' inside dpkg --configure --pending >/dev/null
did 'and restarts what runs' reloaded 'try-restart host-switch.service' 'try-restart vtunnel-peer.service'
touch "$root/run/hang"
install_package new >/dev/null 2>&1 &
installer=$!
eventually 'an upgrade hangs while it restarts a unit' runs 'sleep infinity'
kill_together $(pids_of dpkg) $(pids_of /bin/sh) $(pids_of 'sleep infinity')
wait "$installer" 2>/dev/null || true
rm "$root/run/hang"
actions >/dev/null
check 'a killed installation is completed' inside dpkg --configure --pending >/dev/null
did 'and restarts what runs again' reloaded 'try-restart host-switch.service' 'try-restart vtunnel-peer.service'
check 'the package is installed' [ "$(inside dpkg-query --show --showformat='${db:Status-Status}' guestagent)" = installed ]

# What programs leave that were killed.
mkdir -p "$root/var/lib/rancher-desktop-guestagent"
touch "$root/var/lib/rancher-desktop-guestagent/host-switch.journal" "$root"/run/{wsl-proxy.sock,wsl-init.pid,network-setup-1.lock} \
  "$root"/var/log/{host-switch.log,vm-switch.log.2.gz}
check 'a removal works' inside dpkg --remove guestagent >/dev/null
did 'a removal stops what runs' 'stop host-switch.service' 'stop vtunnel-peer.service' reloaded
check 'a removal keeps settings' [ -e "$settings" ]
check 'a removal keeps state' [ -e "$root/var/lib/rancher-desktop-guestagent/host-switch.journal" ]
check 'it can be installed again' install_package new
check 'with the former settings' grep --quiet '^HOST_SWITCH_FLAGS="-network=kernel"$' "$settings"
check 'a purge works' inside dpkg --purge guestagent >/dev/null
rm -f "$settings.dpkg-dist"
check 'a purge leaves nothing' [ "$(changed_files)" = "$before" ]

# A purge meets a directory with a socket's name, and a link to another's directory.
check 'it can be installed again' install_package new
mkdir -p "$root/run/wsl-proxy.sock" "$root/var/log/host-switch.log.d" "$root/home/user"
touch "$root/home/user/file" "$root/run/privileged-service.sock"
ln -s /home/user "$root/var/lib/rancher-desktop-guestagent"
check 'a purge works with directories in its way' inside dpkg --purge guestagent >/dev/null 2>&1
check 'it keeps them' [ -d "$root/run/wsl-proxy.sock" -a -d "$root/var/log/host-switch.log.d" ]
check 'it keeps what a link leads to' [ -e "$root/home/user/file" ]
refuse 'it removes the link' [ -L "$root/var/lib/rancher-desktop-guestagent" ]
refuse 'it removes all else' [ -e "$root/run/privileged-service.sock" ]
rm -r "$root/run/wsl-proxy.sock" "$root/var/log/host-switch.log.d"

# The state directory has mounts: one of another file system, and one that is of the same one.
state=$root/var/lib/rancher-desktop-guestagent
check 'it can be installed again' install_package new
mkdir -p "$state"/{volume,bound}
touch "$state/host-switch.journal"
mount -t tmpfs tmpfs "$state/volume"
touch "$state/volume/file"
mount --bind "$root/home/user" "$state/bound"
check 'a purge works with mounts in its way' inside dpkg --purge guestagent >"$root/tmp/said" 2>&1
check 'it keeps what is mounted' [ -e "$state/volume/file" -a -e "$root/home/user/file" ]
for name in volume bound; do
  check "it names $name" grep --quiet "cannot delete '/var/lib/rancher-desktop-guestagent/$name\b" "$root/tmp/said"
done
refuse 'it removes all else there' [ -e "$state/host-switch.journal" ]
umount "$state"/{volume,bound}
rm -r "$state" "$root/home/user"

# The first packages had OpenRC's scripts as conffiles.
check 'one of the first packages is installed' install_package first
echo '# changed' >>"$root/etc/init.d/vtunnel-peer"
refuse 'beside its scripts systemctl enables no unit' inside systemctl --quiet enable wsl-proxy.service 2>/dev/null
check 'its upgrade works' install_package new --force-confdef --force-confold
for name in "${services[@]}"; do refuse "its script $name is gone" [ -e "$root/etc/init.d/$name" ]; done
check 'a changed one is kept beside' grep --quiet '^# changed$' "$root/etc/init.d/vtunnel-peer.dpkg-bak"
check 'only that one' [ "$(find "$root/etc/init.d" -name '*.dpkg-*' | wc -l)" = 1 ]
check 'systemctl enables units' inside systemctl --quiet enable wsl-proxy.service >/dev/null 2>&1
check 'another upgrade works' install_package new
check 'a purge works' inside dpkg --purge guestagent >/dev/null
rm -f "$settings.dpkg-dist"
check 'a purge leaves nothing' [ "$(changed_files)" = "$before" ]
check 'nothing is left in /run' [ -z "$(find "$root/run" -name '*wsl*' -o -name 'network-setup*')" ]
