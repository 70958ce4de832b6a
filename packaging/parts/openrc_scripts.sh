# shellcheck shell=sh disable=SC2154
# Part of the maintainer scripts postinst and postrm.
# What /etc/init.d has of a service. A link would make OpenRC look for its conf.d beside the script.
script_of() { printf '#!/sbin/openrc-run\n. /usr/share/guestagent/openrc/%s\n' "$1"; }

# remove_scripts: a script that the administrator has changed stays.
remove_scripts() {
  for service in $services; do
    new=/etc/init.d/.$service.new  # of a killed installation
    [ -d "$new" ] || rm -f "$new"
    ! script_of "$service" | cmp --quiet - "/etc/init.d/$service" || rm "/etc/init.d/$service"
  done
}

# install_scripts: only where OpenRC runs the machine's services. `systemctl enable` fails for a unit beside a script of
# its name that has no LSB header, and OpenRC takes one that has it for sysvinit's.
install_scripts() {
  remove_scripts
  command -v openrc >/dev/null || return 0
  case $(readlink -f /sbin/init) in */systemd) return 0 ;; esac
  for service in $services; do
    [ ! -e "/etc/init.d/$service" ] || continue
    new=/etc/init.d/.$service.new
    if [ -d "$new" ]; then
      echo "guestagent: $service has no OpenRC script: the directory $new is in its way" >&2
      continue
    fi
    script_of "$service" >"$new"
    chmod 0755 "$new"
    mv "$new" "/etc/init.d/$service"
  done
}
