# Sourced by the scripts that make a Debian: which Debian, and from where.

# debian_codename: the Debian of this machine.
debian_codename() { sed -n 's/^VERSION_CODENAME=//p' /etc/os-release; }

# debian_mirror CODENAME: the mirror from which this machine has its packages. Its sources may name the suite, as "stable",
# and archives of others for the same Debian.
debian_mirror() {
  local mirror
  # shellcheck disable=SC2016
  mirror=$(apt-get indextargets --format '$(SITE) $(CODENAME) $(ORIGIN)' 'Created-By: Packages' |
    awk -v "codename=$1" 'mirror == "" && $2 == codename && $3 == "Debian" { mirror = $1 } END { print mirror }')
  [[ -n $mirror ]] || { echo "no mirror of Debian $1 in the package lists" >&2; return 1; }
  echo "$mirror"
}
