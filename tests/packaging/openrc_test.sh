#!/bin/bash
# The OpenRC scripts of the Debian package, run by Debian's OpenRC with the real programs.
# shellcheck source=tests/packaging/package_root.sh
source "$(dirname "${BASH_SOURCE[0]}")/package_root.sh"
# shellcheck source=tests/packaging/openrc.sh
source "$(dirname "${BASH_SOURCE[0]}")/openrc.sh"
enter_root
boot_openrc

before=$(changed_files)
check 'installs under OpenRC' install_package old
check 'a new installation starts nothing' none_runs
check 'a new installation enables nothing' nothing_is_enabled
configure "$root/etc/default/rancher-desktop-guestagent"

check 'a service is enabled' inside rc-update --quiet add privileged-service default
inside rc-update --update  # of a change in the same second OpenRC takes no notice
check 'OpenRC starts what is enabled' inside openrc --quiet default
eventually 'which runs' started privileged-service
for name in "${services[@]}"; do
  [[ $name == privileged-service ]] || check "$name starts" service --quiet "$name" start
done
for name in "${services[@]}" vm-switch; do eventually "$name is ready" logs "$name" ' ready '; done
for name in "${services[@]}"; do check "$name has its status" has_status "$name" started; done
eventually 'the flags come from the one file' logs host-switch /run/link.sock

declare -A process
for name in "${services[@]}"; do
  process[$name]=$(processes_of "$name")
  kill -KILL "${process[$name]}"
done
for name in "${services[@]}"; do eventually "$name is started again" runs_anew "$name" "${process[$name]}"; done
for name in "${services[@]}"; do check "$name has its status" has_status "$name" started; done

check 'the logs are rotated' inside logrotate --force /etc/logrotate.d/guestagent
check 'a service stops' service --quiet host-switch stop
refuse 'its program is gone' started host-switch
check 'it has its status' has_status host-switch stopped
check 'it logs on after a rotation' logs host-switch ' stopping '
refuse 'in the new file' logs host-switch ' ready '

for name in "${services[@]}"; do process[$name]=$(processes_of "$name"); done
echo '# changed' >>"$root/etc/init.d/vtunnel-peer"
check 'an upgrade works' install_package new --force-confdef --force-confold
for name in "${services[@]}"; do
  [[ $name == host-switch ]] || eventually "an upgrade restarts $name" runs_anew "$name" "${process[$name]}"
done
check 'a changed script survives' grep --quiet '^# changed$' "$root/etc/init.d/vtunnel-peer"
refuse 'an upgrade starts nothing that did not run' started host-switch

process[wsl-proxy]=$(processes_of wsl-proxy)
say_policy 101
check 'an upgrade works where policy-rc.d forbids restarts' install_package new
check 'then nothing is restarted' [ "$(processes_of wsl-proxy)" = "${process[wsl-proxy]}" ]
rm "$root/usr/sbin/policy-rc.d"

# Killed between the end of a service and its new start.
mkdir -p "$root/etc/conf.d"
echo 'stop_post() { while [ -e /run/hang ]; do sleep 0.1; done; }' >"$root/etc/conf.d/wsl-proxy"
touch "$root/run/hang"
install_package new >/dev/null 2>&1 &
installer=$!
eventually 'an upgrade hangs while it restarts a service' runs 'sleep 0.1'
kill_together $(pids_of dpkg) $(pids_of /bin/sh) $(pids_of /sbin/openrc-run)
wait "$installer" 2>/dev/null || true
rm "$root/run/hang"
refuse 'the killed upgrade starts it no more' started wsl-proxy
check 'a killed upgrade is completed' inside dpkg --configure --pending >/dev/null
eventually 'and starts the service again' started wsl-proxy
check 'which has its status' has_status wsl-proxy started

# kill_supervisor SERVICE: its program runs on, and OpenRC knows neither.
kill_supervisor() { kill -KILL "$(<"$root/run/supervise-$1.pid")"; }
lost() { has_status "$1" unsupervised; }
process[wsl-proxy]=$(processes_of wsl-proxy)
kill_supervisor wsl-proxy
eventually 'a killed supervisor loses its program' lost wsl-proxy
check 'which runs on' kill -0 "${process[wsl-proxy]}"
check 'an upgrade works' install_package new
eventually 'it restarts the program' runs_anew wsl-proxy "${process[wsl-proxy]}"
refuse 'the former one is gone' kill -0 "${process[wsl-proxy]}" 2>/dev/null
check 'the new one has a supervisor' has_status wsl-proxy started
kill_supervisor wsl-proxy
eventually 'a killed supervisor loses its program again' lost wsl-proxy

sed -i 's/^HOST_SWITCH_FLAGS=.*/HOST_SWITCH_FLAGS="-nonsense"/' "$root/etc/default/rancher-desktop-guestagent"
said=$(service host-switch start 2>&1) && fail 'a wrong flag is refused'
check 'a wrong flag is refused, with the reason' grep --quiet 'not defined: -nonsense' <<<"$said"

service --quiet vtunnel-peer stop || true
mv "$root/etc/vtunnel.yaml" "$root/etc/vtunnel.away"
said=$(service vtunnel-peer start 2>&1) && fail 'a start without its file is refused'
check 'a start without its file is refused, with the reason' grep --quiet '/etc/vtunnel.yaml is missing' <<<"$said"
mv "$root/etc/vtunnel.away" "$root/etc/vtunnel.yaml"

check 'a removal works' inside dpkg --remove guestagent >/dev/null
check 'a removal stops what runs' none_runs
said=$(service wsl-proxy start 2>&1) && fail 'a removed service is refused'
check 'a removed service is refused, with the reason' grep --quiet 'does not exist' <<<"$said"
check 'a purge works' inside dpkg --purge guestagent >/dev/null
check 'a purge disables what was enabled' nothing_is_enabled
rm -f "$root"/etc/{vtunnel.yaml,init.d/vtunnel-peer,conf.d/wsl-proxy,default/rancher-desktop-guestagent.dpkg-*} "$root/usr/local/bin/wsl-init" \
  "$root/var/lib/logrotate/status"
check 'a purge leaves nothing' [ "$(changed_files)" = "$before" ]

# The first packages had the scripts as conffiles. They must not stay in charge.
is_new_script() { [[ $(sed -n 2p "$root/etc/init.d/$1") == ". /usr/share/guestagent/openrc/$1" ]]; }
check 'one of the first packages is installed' install_package first
configure "$root/etc/default/rancher-desktop-guestagent"
check 'a service is enabled' inside rc-update --quiet add host-switch default
check 'and starts' service --quiet host-switch start
eventually 'it is ready' logs host-switch ' ready '
process[host-switch]=$(processes_of host-switch)
echo '# changed' >>"$root/etc/init.d/vtunnel-peer"
check 'its upgrade works' install_package new --force-confdef --force-confold
for name in "${services[@]}"; do check "$name has its new script" is_new_script "$name"; done
check 'a changed one is kept beside' grep --quiet '^# changed$' "$root/etc/init.d/vtunnel-peer.dpkg-bak"
check 'only that one' [ "$(find "$root/etc/init.d" -name '*.dpkg-*' | wc -l)" = 1 ]
eventually 'what ran is restarted' runs_anew host-switch "${process[host-switch]}"
check 'what was enabled stays so' [ -L "$root/etc/runlevels/default/host-switch" ]
echo '# changed again' >>"$root/etc/init.d/wsl-proxy"
check 'another upgrade works' install_package new --force-confdef --force-confold
check 'the new scripts are none of dpkg' grep --quiet '^# changed again$' "$root/etc/init.d/wsl-proxy"
check 'a purge works' inside dpkg --purge guestagent >/dev/null
rm -f "$root"/etc/{vtunnel.yaml,init.d/wsl-proxy,default/rancher-desktop-guestagent.dpkg-*} "$root/usr/local/bin/wsl-init"
check 'a purge leaves nothing' [ "$(changed_files)" = "$before" ]

# A directory has the name under which a script is written.
mkdir "$root/etc/init.d/.wsl-proxy.new"
check 'installs with a directory in the way of a script' install_package new
check 'it says so' grep --quiet 'wsl-proxy has no OpenRC script: the directory /etc/init.d/.wsl-proxy.new' "$root/tmp/dpkg.log"
check 'the other scripts are there' is_new_script vtunnel-peer
check 'a purge works' inside dpkg --purge guestagent >/dev/null
check 'which keeps the directory' rmdir "$root/etc/init.d/.wsl-proxy.new"
check 'and leaves nothing else' [ "$(changed_files)" = "$before" ]

# update-rc.d enables a service for OpenRC and for sysvinit.
check 'installs again' install_package new
check 'a service is enabled for sysvinit' inside update-rc.d host-switch defaults >/dev/null 2>&1
check 'which links it' [ -L "$root/etc/rc2.d/S01host-switch" -a -L "$root/etc/runlevels/default/host-switch" ]
check 'a purge works' inside dpkg --purge guestagent >/dev/null
check 'a purge disables it everywhere' nothing_is_enabled
check 'a purge leaves nothing' [ "$(changed_files)" = "$before" ]

# A machine that has OpenRC installed, and systemd as its init.
ln -s /lib/systemd/systemd "$root/sbin/init"
check 'installs beside systemd' install_package new
refuse 'then there are no scripts' [ -e "$root/etc/init.d/host-switch" ]
check 'and systemctl enables a unit' inside systemctl --quiet enable host-switch.service
check 'a purge works' inside dpkg --purge guestagent >/dev/null
check 'a purge disables it' nothing_is_enabled
