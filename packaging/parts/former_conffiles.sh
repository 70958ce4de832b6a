# shellcheck shell=sh disable=SC2154
# Part of the maintainer scripts preinst, postinst and postrm.
# The first packages had the OpenRC scripts as conffiles, which dpkg leaves in charge. One that the administrator has
# changed is kept as .dpkg-bak.
for service in $services; do
  dpkg-maintscript-helper rm_conffile "/etc/init.d/$service" -- "$@"
done
