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
    elif [ -e /run/openrc/softlevel ] && [ -e "/etc/init.d/$service" ] && allowed "$service" "$1"; then
      "openrc_$1" "$service" || true
    fi
  done
}

# openrc_runs SERVICE: also if it crashed, or its supervisor was killed.
openrc_runs() {
  status=0
  rc-service --quiet "$1" status >/dev/null 2>&1 || status=$?
  case $status in 0 | 32 | 64) ;; *) return 1 ;; esac
}

# OpenRC forgets a service whose restart is killed between its end and its start. The mark is for the next try.
openrc_restart() {
  mark=/run/$1.restart
  [ -e "$mark" ] || openrc_runs "$1" || return 0
  : >"$mark"
  rc-service --quiet "$1" restart
  rm "$mark"
}

openrc_stop() {
  rm -f "/run/$1.restart"
  rc-service --quiet --ifstarted "$1" stop
}

reload_units() {
  [ ! -d /run/systemd/system ] || systemctl --system daemon-reload || true
}
