# Sourced by tests that run the services under OpenRC, in the root of package_root.sh.

# boot_openrc: OpenRC takes the root for a booted machine. Of Debian's own services none is started: they are the
# machine's, as its clock.
boot_openrc() {
  mkdir -p "$root/dev/net"
  rm -f "$root"/etc/runlevels/*/*
  inside openrc --quiet sysinit >/dev/null
  mknod -m 0666 "$root/dev/net/tun" c 10 200
}

# configure FILE: settings with which each program finds the others in one network namespace, without virtual sockets.
configure() {
  sed -i -e 's,^HOST_SWITCH_FLAGS=.*,HOST_SWITCH_FLAGS="-listen=unix:///run/link.sock",' \
    -e 's,^NETWORK_SETUP_FLAGS=.*,NETWORK_SETUP_FLAGS="-connect=unix:///run/link.sock",' "$1"
  cat >"$root/etc/vtunnel.yaml" <<'YAML'
tunnel:
  - name: test
    handshake-port: unix:/run/handshake.sock
    vsock-host-port: unix:/run/data.sock
    peer-address: 127.0.0.1
    peer-port: 3040
    upstream-server-address: unix:/run/privileged-service.sock
YAML
  mkdir -p "$root/usr/local/bin"
  printf '#!/bin/sh\nexec sleep infinity\n' >"$root/usr/local/bin/wsl-init"
  chmod 0755 "$root/usr/local/bin/wsl-init"
}

service() { inside rc-service "$@"; }
log_of() { cat "$root/var/log/$1.log"; }
logs() { log_of "$1" | grep --quiet "$2"; }
has_status() { [[ $(service "$1" status 2>&1) == *"status: $2"* ]]; }
# runs_anew SERVICE PID: with another process than PID.
runs_anew() { started "$1" && [[ $(processes_of "$1") != "$2" ]]; }
