#!/bin/bash
# The demo runs programs of its directory in /tmp as root: it does not take one that another user has made there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
((EUID == 0)) || { echo 'needs root' && exit 1; }
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
export TMPDIR=$place LC_ALL=C

# shellcheck disable=SC2016
prepare='trap="$TMPDIR/guestagent-$$-demo/bin"
mkdir -p "$trap"
for tool in awk cp curl cut ip kill mkdir nsenter rm; do
  printf "#!/bin/sh\ntouch \"$TMPDIR/trapped\"\n" >"$trap/$tool"
  chmod 0755 "$trap/$tool"
done
exec demo/demo "$@"'
status=0
bash -c "$prepare" - "$@" >"$place/said" 2>&1 || status=$?
cat "$place/said"
[[ $status != 0 && ! -e $place/trapped ]] || { echo 'FAILED: the demo takes the directory of another user' && exit 1; }
grep --quiet 'not installed\|not built\|File exists' "$place/said"
