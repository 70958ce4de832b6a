# Sourced by scripts that take files from a Debian package without installing it.

# unpack DIRECTORY PACKAGE [FILE…]: the files of the package, all or these alone, into the new DIRECTORY. Needs the
# package lists, and the mirror.
unpack() {
  local directory=$1 package=$2
  shift 2
  rm -rf "$directory" "$directory.new"
  mkdir "$directory.new"
  (cd "$directory.new" && apt-get download --quiet=2 -o APT::Sandbox::User=root "$package" &&
    dpkg-deb --fsys-tarfile ./*.deb | tar --extract "$@" && rm -f ./*.deb)
  mv "$directory.new" "$directory"
}
