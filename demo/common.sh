# Sourced by demo/demo: what all modes share. Places are network namespaces; programs run in them, and are probed there.

# --- output -----------------------------------------------------------------------------------------------------------

if [[ -t 1 ]]; then bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'; else bold='' dim='' green='' red='' plain=''; fi
title() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
say() { printf '  %s%s%s\n' "$dim" "$1" "$plain"; }
good() { printf '  %s✓%s %s\n' "$green" "$plain" "$1"; }
# Succeeds also where the terminal has gone: what failed counts.
bad() { printf '  %s✗ %s%s\n' "$red" "$1" "$plain" >&2 || true; }
die() {
  bad "$1"
  show_logs >&2
  exit 1
}
show_logs() {
  local log
  collect_logs 2>/dev/null
  for log in "$work"/*.log; do
    [[ -e $log ]] && printf '%s--- %s%s\n%s\n' "$bold" "$(basename "$log")" "$plain" "$(tail -n 25 "$log")"
  done
  return 0
}

# --- the places -------------------------------------------------------------------------------------------------------

netns() { echo "$name-$1"; }
on() { nsenter --net="/run/netns/$(netns "$1")" "${@:2}"; }

# wire PLACE INTERFACE ADDRESS  PLACE INTERFACE ADDRESS
wire() {
  ip -n "$(netns "$1")" link add "$2" type veth peer name "$5" netns "$(netns "$4")"
  local end
  for end in "$1 $2 $3" "$4 $5 $6"; do
    read -r place interface address <<<"$end"
    ip -n "$(netns "$place")" address add "$address/24" dev "$interface"
    ip -n "$(netns "$place")" link set "$interface" up
  done
}

make_place() {
  ip netns add "$(netns "$1")"
  ip -n "$(netns "$1")" link set lo up
}

# start PLACE PROGRAM FLAGS…: starts it in the background, under the name $as or PROGRAM. It dies with this script.
start() {
  local known_as=${as:-$2}
  nsenter --net="/run/netns/$(netns "$1")" setpriv --pdeathsig KILL "$programs/$2" "${@:3}" >>"$work/$known_as.log" 2>&1 </dev/null &
  pid_of[$known_as]=$!
  disown
}
kill_program() { # NAME
  kill -9 "${pid_of[$1]}"
  within 5 is_gone "${pid_of[$1]}" || die "$1 still runs"
}

# --- cleaning up ------------------------------------------------------------------------------------------------------

# remove_all NAME: namespaces, control groups and files of one run of the demo. Removes what it can, and fails if that is
# not all.
remove_all() {
  local place group directory=${TMPDIR:-/tmp}/$1 all=0
  for place in "${places[@]}"; do
    [[ -e /run/netns/$1-$place ]] || continue
    # A killed network-setup leaves its lock, which has the number of its namespace.
    rm -f "/run/network-setup-$(stat --dereference --format=%i "/run/netns/$1-$place").lock"
    ip netns del "$1-$place" || all=1
  done
  for group in /sys/fs/cgroup/"$1" /sys/fs/cgroup/*/"$1"; do
    [[ ! -d $group ]] || within 5 remove_group "$group" || { bad "$group is left" && all=1; }
  done
  [[ ! -e $directory ]] || within 5 remove_directory "$directory" || { bad "$directory is left" && all=1; }
  return $all
}
# A killed dockerd may need a moment to release its files.
remove_directory() { rm -rf "${1:?}" 2>/dev/null; }
remove_group() { find "$1" -depth -type d -exec rmdir {} + 2>/dev/null; }

remove_leftovers() {
  local path old
  for path in /run/netns/$prefix-*-demo-host "${TMPDIR:-/tmp}"/$prefix-*-demo /sys/fs/cgroup/$prefix-*-demo /sys/fs/cgroup/*/$prefix-*-demo; do
    old=$(basename "${path%-host}")
    [[ ! -e $path || -d /proc/$(cut -d- -f2 <<<"$old") ]] || remove_all "$old" || true
  done
}

# The status is that of what was shown; or 1 if only the cleaning up failed.
clean_up() {
  local code=$? clean=0 program pids
  trap - EXIT INT TERM HUP
  trap '' INT TERM HUP
  [[ -z $keep_logs || ! -d $work ]] || { mkdir -p "$keep_logs" && cp "$work"/*.log "$keep_logs"; } || clean=1
  pids=$(jobs -p)
  for program in "${!pid_of[@]}"; do kill -9 "${pid_of[$program]}" 2>/dev/null || true; done
  [[ -z $pids ]] || { kill -9 $pids; wait; } 2>/dev/null || true
  for program in "${!pid_of[@]}"; do
    within 5 is_gone "${pid_of[$program]}" || { bad "$program still runs" && clean=1; }
  done
  end_mode || { bad "the engine's namespace has not ended" && clean=1; }
  remove_all "$name" || clean=1
  ((clean == 0)) || bad "The cleaning up is not complete."
  ((code != 0)) || code=$clean
  exit "$code"
}
# The process may end between the two questions. $(<file) would end this script then: bash 5.2 with `set -e` leaves at a
# file that is not there, even in a condition.
is_gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }

# --- probing ----------------------------------------------------------------------------------------------------------

# within SECONDS COMMAND…: repeats it until it succeeds or the time is over.
within() {
  local deadline=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
  until "${@:2}"; do
    ((${EPOCHREALTIME/[.,]/} < deadline)) || return 1
    sleep 0.01
  done
}

fetch() { on "$1" curl -s --max-time 2 "http://$2/"; }                                  # PLACE ADDRESS:PORT
fetch_udp() {                                                                           # PLACE ADDRESS:PORT
  # shellcheck disable=SC2016
  on "$1" bash -c 'exec 3<>"/dev/udp/${1%:*}/${1##*:}" && echo hello >&3 && timeout 0.5 dd bs=65536 count=1 status=none <&3' - "$2"
}
answers() { [[ $("$1" "$2" "$3" 2>/dev/null || true) == "$4" ]]; }                       # fetch|fetch_udp PLACE ADDRESS:PORT TEXT
refuses() { local code=0; on "$1" curl -s --max-time 2 "http://$2/" >/dev/null || code=$?; ((code == 7)); }
expect_answer() {
  within 5 answers "$@" || die "$2: wrong or no answer from $3 (expected: $4)"
  good "$(printf '%-5s %-22s %s' "$2" "${3/127.0.0.1/localhost}" "$4")"
}

expect_back() {  # PLACE ADDRESS:PORT TEXT
  within 10 answers fetch "$@" || die "$1: ${2/127.0.0.1/localhost} does not answer again (expected: $3)"
}

expect_refused() {  # SECONDS PLACE ADDRESS:PORT
  within "$1" refuses "$2" "$3" || die "$2: ${3/127.0.0.1/localhost} is open"
}

# Repeats a request, without a process for each try, until an answer comes. Prints its time in µs since 1970.
first_answer() {  # tcp|udp PORT
  local line patience=0.2
  [[ $1 == tcp ]] || patience=0.02  # a datagram may be lost
  while ((${EPOCHREALTIME/[.,]/} < $3)); do
    if { exec 3<>"/dev/$1/127.0.0.1/$2"; } 2>/dev/null; then
      printf 'GET / HTTP/1.0\r\n\r\n' >&3 2>/dev/null || true
      if IFS= read -r -n 1 -t $patience line <&3 && [[ -n $line ]]; then  # one byte: a read consumes the whole datagram
        echo "${EPOCHREALTIME/[.,]/}"
        return 0
      fi
      exec 3>&-
    fi 2>/dev/null
    read -r -t 0.001 line <>"$4" || true
  done
  return 1
}
