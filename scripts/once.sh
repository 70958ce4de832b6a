# Sourced by scripts that make something in build/ when it is first needed.

# only_run_in NAME SECONDS: sets directory to build/NAME. Tests run side by side: the first run makes it, the others wait
# for its end, for so many seconds at most.
only_run_in() {
  directory=$PWD/build/$1
  mkdir -p build
  exec {lock}>"$directory.lock"
  flock --timeout "$2" "$lock" || { echo "${0##*/}: another run holds $directory.lock" >&2; exit 1; }
}
