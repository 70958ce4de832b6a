#!/bin/bash
# With which status the demo ends, and what it says of its cleaning up (demo/common.sh). Needs no root.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
readonly name=guestagent-test-clean-up-$$
failed=0
# check WHAT STATUS WORDS SCRIPT: a shell with the demo's settings executes the script, ends so, and says these words.
check() {
  local said status=0
  said=$(bash -c 'set -euo pipefail
    name=$1 work=${TMPDIR:-/tmp}/$1 keep_logs="" places=()
    declare -A pid_of
    end_mode() { :; }
    source demo/common.sh
    mkdir -p "$work"
    trap clean_up EXIT
    eval "$2"' - "$name" "$4" 2>&1) || status=$?
  if ((status == $2)) && [[ $said == *"$3"* ]]; then
    echo "ok: $1"
  else
    echo "FAILED: $1: the status is $status, not $2, or it does not say '$3': $said"
    failed=1
  fi
}
readonly stays='remove_directory() { false; }; within() { "${@:2}"; }'

check 'all is removed' 0 '' true
check 'a failure' 3 '' 'exit 3'
check 'a process that ends between two questions' 0 'goes on' 'kill() { :; }; is_gone 999999999 || echo goes on'
check 'a program that has ended' 0 'gone' 'sleep 0 & pid_of[sleep]=$!; wait; is_gone ${pid_of[sleep]} && echo gone'
check 'a directory that stays' 1 "$name is left" "$stays"
check 'a failure, and a directory that stays' 3 "$name is left" "$stays; exit 3"
check 'a namespace that stays, and no terminal' 1 '' 'end_mode() { false; }; exec 2>&-'
check 'logs that cannot be kept' 1 'not complete' 'keep_logs=/dev/null/logs'
rm -rf "${TMPDIR:-/tmp}/$name"
exit $failed
