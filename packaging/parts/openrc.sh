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

# OpenRC forgets the program of a supervisor that was killed. It would run on, and hold the sockets of the next one.
stop() {
  local orphan tries=0
  orphan=$(service_get_value child_pid)
  default_stop || return
  is_program "$orphan" || return 0
  ewarn "Its supervisor was killed; stopping the program itself"
  kill "$orphan"
  while is_program "$orphan"; do
    tries=$((tries + 1))
    [ "$tries" -le 15 ] || kill -KILL "$orphan"
    [ "$tries" -le 20 ] || { eerror "The program does not end: $orphan"; return 1; }
    sleep 1
  done
}

# is_program PID: a process of this service's program, and no later one with its number.
is_program() { [ -n "$1" ] && [ "$(tr '\0' '\n' 2>/dev/null <"/proc/$1/cmdline" | head -n 1)" = "$command" ]; }

# Without its files, or with a wrong flag, a program would end again and again: the start is refused instead. Not each
# OpenRC looks at required_files itself.
start_pre() {
  local said file
  for file in $required_files; do
    [ -r "$file" ] || { eerror "$file is missing"; return 1; }
  done
  said=$(eval "$command $command_args -h" 2>&1) && return
  eerror "$(printf '%s\n' "$said" | tail -n 1)"
  return 1
}
