# Sourced by the tests of the packages. Each runs in a Debian root of its own: that of scripts/debian_root below an
# overlay in memory, in namespaces of its own. At the test's end the kernel ends what it started and drops what it wrote.
# PACKAGES is the directory that build_packages.sh has filled.
set -Eeuo pipefail
exec 3>&1  # a caller may redirect what a checked command prints
trap 'echo "FAILED: ${BASH_SOURCE[0]}, line $LINENO: $BASH_COMMAND" >&2' ERR
packages=${PACKAGES:?the directory of the packages to test}
services=(host-switch network-setup privileged-service rancher-desktop-guestagent vtunnel-host vtunnel-peer wsl-proxy)

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# check WHAT COMMAND…: the command succeeds.
check() {
  local what=$1
  shift
  "$@" || fail "$what: $*"
  echo "ok: $what" >&3
}

# refuse WHAT COMMAND…: the command fails.
refuse() {
  local what=$1
  shift
  ! "$@" || fail "$what: $*"
  echo "ok: $what" >&3
}

# eventually WHAT COMMAND…: the command succeeds within a minute.
eventually() {
  local what=$1 deadline=$((SECONDS + 60))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || fail "$what: $*"
    sleep 0.05
  done
  echo "ok: $what" >&3
}

# enter_root: goes on in namespaces of the test's own, with the root in $root and what the test changes there in $changes.
enter_root() {
  if [[ -z ${INSIDE_ROOT:-} ]]; then
    [[ -e $packages/new ]] || { echo 'SKIPPED: no packages were built'; exit 77; }
    INSIDE_ROOT=1 exec unshare --mount --pid --net --ipc --uts --fork --kill-child --propagation private "$0"
  fi
  local memory=$packages/mount
  mount -t tmpfs tmpfs "$memory"
  root=$memory/root changes=$memory/changes
  mkdir "$root" "$changes" "$memory/work"
  mount -t overlay -o "lowerdir=$packages/debian-root,upperdir=$changes,workdir=$memory/work" overlay "$root" ||
    { echo 'SKIPPED: the kernel mounts no overlay'; exit 77; }
  mount -t proc proc "$root/proc"
  mount -t tmpfs tmpfs "$root/run"
  mount -t tmpfs tmpfs "$root/tmp"
  ip link set lo up
}

inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"; }

# install_package VERSION [OPTIONS OF DPKG…]: first, old or new.
install_package() {
  local version=$1
  shift
  cp "$packages/$version"/guestagent_*.deb "$root/tmp/$version.deb"
  inside dpkg "$@" --install "/tmp/$version.deb" </dev/null >"$root/tmp/dpkg.log" 2>&1 || { cat "$root/tmp/dpkg.log" >&2; return 1; }
}

# say_policy NUMBER: what the administrator's policy-rc.d answers.
say_policy() {
  printf '#!/bin/sh\nexit %s\n' "$1" >"$root/usr/sbin/policy-rc.d"
  chmod 0755 "$root/usr/sbin/policy-rc.d"
}

# The files and links of the root that differ from what it was, without those of dpkg and insserv themselves.
changed_files() {
  find "$changes" \( -type f -o -type l -o -type c \) -printf '%P\n' |
    sed --regexp-extended '\,^(var/lib/dpkg/|var/log/dpkg.log|var/cache/debconf/|tmp/|etc/init.d/\.depend\.),d' | sort
}

# kill_together PID…: none of them sees the end of another one, and goes on.
kill_together() {
  kill -STOP "$@" || true
  kill -KILL "$@" || true
}

# pids_of COMMAND: the processes of the root whose command line begins with it.
runs() { [[ -n $(pids_of "$1") ]]; }
pids_of() {
  local process words
  for process in "$root"/proc/[0-9]*; do
    mapfile -d '' -t words 2>/dev/null <"$process/cmdline" || continue
    [[ "${words[*]} " != "$1 "* ]] || echo "${process##*/}"
  done
}

nothing_is_enabled() {
  local service
  for service in "${services[@]}"; do
    [[ -z $(find "$root/etc" -path "*/etc/init.d/*" -prune -o \( -name "$service.service" -o -name "$service" -o \
      -name "[SK][0-9][0-9]$service" \) -type l -print) ]] || return 1
  done
}

# started SERVICE: its program runs.
declare -A programs=([vtunnel-host]='vtunnel host' [vtunnel-peer]='vtunnel peer')
daemons=${DAEMONS:-/usr/sbin}
processes_of() { pids_of "$daemons/${programs[$1]:-$1}"; }
started() { [[ -n $(processes_of "$1") ]]; }
none_runs() {
  local service
  for service in "${services[@]}" vm-switch; do
    ! started "$service" || return 1
  done
}
