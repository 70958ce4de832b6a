# shellcheck shell=sh disable=SC2034
# Part of each OpenRC script.
# The flags of all programs are in one file, as under systemd.
# shellcheck disable=SC1091
[ ! -r /etc/default/rancher-desktop-guestagent ] || . /etc/default/rancher-desktop-guestagent

supervisor=supervise-daemon
error_log="/var/log/${RC_SVCNAME}.log"
respawn_delay=5
respawn_max=0
retry=TERM/15/KILL/5
rc_ulimit="-n 1048576"

# A wrong flag would end the program again and again: the start is refused instead.
start_pre() {
  local said
  said=$(eval "$command $command_args -h" 2>&1) && return
  eerror "$(printf '%s\n' "$said" | tail -n 1)"
  return 1
}
