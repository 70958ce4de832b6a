# shellcheck shell=sh
# Part of each maintainer script.
services="@SERVICES@"

# allowed SERVICE ACTION: whether the administrator's policy-rc.d lets a package do so.
allowed() {
  [ -x /usr/sbin/policy-rc.d ] || return 0
  policy=0
  /usr/sbin/policy-rc.d "$1" "$2" || policy=$?
  [ "$policy" = 0 ] || [ "$policy" = 104 ]
}

# change_running restart|stop: does so with each service that runs. A machine without a service manager that these
# services have, as a chroot, runs none of them. A failure is shown, and does not fail the package.
change_running() {
  for service in $services; do
    if [ -d /run/systemd/system ]; then
      action=$1
      [ "$action" != restart ] || action=try-restart
      deb-systemd-invoke "$action" "$service.service" || true
    elif [ -e /run/openrc/softlevel ] && allowed "$service" "$1"; then
      rc-service --quiet --ifstarted "$service" "$1" || true
    fi
  done
}

reload_units() {
  [ ! -d /run/systemd/system ] || systemctl --system daemon-reload || true
}
