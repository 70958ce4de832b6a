# Sourced by demo/demo for the mode vm: real virtual machines, with Debian's kernel, systemd and dockerd, and this project
# as its package installs it. In the first one the agent reaches host-switch in the place `host` by virtio-net. The second
# one has both ends of the link inside, over virtual sockets: its namespace `host` stands for the host.
#
# It is emulated where KVM does not work. The limits are those of a machine with other things to do.

readonly summary_title="From the container's start, or what happened to the machine, to the first answered request"
readonly boot_limit=400 limit=120

# --- the machines -----------------------------------------------------------------------------------------------------

# start_machine MACHINE [SOCKET]: with the disk that it had.
start_machine() {
  setpriv --pdeathsig KILL scripts/vm_machine start "$work/$1" "${@:2}" >>"$work/$1.log" 2>&1 </dev/null &
  pid_of[$1]=$!
  disown
  machine=$1
}
# in_vm SECONDS COMMAND: in the machine that was started last.
in_vm() { scripts/vm_machine run "$work/$machine" "$@"; }
# becomes_active SERVICE…: once systemd has started them. There is no time-out that a slow machine could meet.
becomes_active() {
  in_vm $boot_limit "for unit in $*; do until systemctl is-active --quiet \$unit; do sleep 0.1; done; done" >/dev/null ||
    die "$* did not become active in $machine"
}
collect_logs() {
  ln -sf "$work/$machine/console" "$work/$machine.console.log"
  in_vm 5 'journalctl --no-pager --lines 40 --output cat -u rancher-desktop-guestagent -u docker; systemctl --failed' >"$work/$machine.journal.log" || true
}
end_mode() { :; }

now() { echo "${EPOCHREALTIME/[.,]/}"; }
seconds_between() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.1f s", (b - a) / 1e6 }'; }
seconds_since() { seconds_between "$1" "$(now)"; }

# By how much the machine's clock is ahead of ours, in µs; from the question with the shortest way there and back.
clock_offset() {
  local before theirs after best=1000000000 offset=0
  for _ in 1 2 3 4 5; do
    before=$(now) theirs=$(in_vm 10 'date +%s%6N') after=$(now)
    ((after - before < best)) || continue
    best=$((after - before))
    offset=$((theirs - (before + after) / 2))
  done
  echo $offset
}

# --- containers -------------------------------------------------------------------------------------------------------

# first_on_host tcp|udp PORT SECONDS: the moment of the first answer, in µs; nothing if there is none in that time.
first_on_host() {
  rm -f "$work/idle"
  mkfifo "$work/idle"
  on host setpriv --pdeathsig KILL bash -c "$(declare -f first_answer); trap '' PIPE; first_answer \"\$@\"" - "$1" "$2" \
    $(($(now) + $3 * 1000000)) "$work/idle" 2>/dev/null || true
}

# vm_run NAME tcp|udp PORT ARGUMENTS…: docker run, and how long after its start the port answered on the host.
vm_run() {
  local container=$1 started
  first_on_host "$2" "$3" $limit >"$work/first" &
  in_vm $limit "docker run -d --stop-signal KILL --name $container --hostname $container ${*:4}" >"$work/docker.log" || die "docker run $container failed"
  wait
  [[ -s $work/first ]] || die "$container: no answer on the host within $limit s"
  started=$(in_vm $limit "date +%s%6N --date=\$(docker inspect --format '{{.State.StartedAt}}' $container)") ||
    die "$container: docker does not say when it started"
  note "$container" "$(awk -v a="$(<"$work/first")" -v b="$started" -v c="$offset" 'BEGIN { printf "%.0f ms", (a - b + c) / 1000 }')"
}
note() { summary+=("$(printf '%-22s %s' "$1" "$2")"); }

# dockerd does not wait until the disk has what it writes about a container. A power failure right after its start would
# leave a container that was never started.
settle() { in_vm $limit sync; }

run_containers() {
  local offset
  offset=$(clock_offset)
  title "Containers, published in five ways; docker starts them again (--restart=always)"
  say "docker run -p 8080:80                      on every address"
  vm_run everywhere tcp 8080 --restart=always -p 8080:80 demo serve tcp 80
  say "docker run -p 127.0.0.1:8081:80            on loopback only"
  vm_run on-loopback tcp 8081 --restart=always -p 127.0.0.1:8081:80 demo serve tcp 80
  say "docker run -p 5353:53/udp                  UDP"
  vm_run by-udp udp 5353 --restart=always -p 5353:53/udp demo serve udp 53
  say "docker run -p 30000-30009:8000-8009        a range"
  vm_run a-range tcp 30009 --restart=always -p 30000-30009:8000-8009 demo serve tcp 8000 8001 8002 8003 8004 8005 8006 8007 8008 8009
  say "docker run --network host                  on the machine's own network"
  vm_run by-host-network tcp 9000 --restart=always --network host demo serve tcp 9000
  say "docker run -p 8082:80                      not started again"
  vm_run only-once tcp 8082 -p 8082:80 demo serve tcp 80
  settle
}

# What must answer on the host, and in its LAN; and what must not.
all_answer() {
  answers fetch host 127.0.0.1:8080 "hello from everywhere" && answers fetch host "[::1]:8080" "hello from everywhere" &&
    answers fetch host 127.0.0.1:8081 "hello from on-loopback" && answers fetch_udp host 127.0.0.1:5353 "hello from by-udp" &&
    answers fetch host 127.0.0.1:30000 "hello from a-range" && answers fetch host 127.0.0.1:30009 "hello from a-range" &&
    answers fetch host 127.0.0.1:9000 "hello from by-host-network" && answers fetch lan $lan_ip:8080 "hello from everywhere"
}
# The TCP ports that are open on the host. host-switch alone listens there.
open_ports() { on host ss -Hltn | sed -E 's/.*:([0-9]+) .*:.*/\1/' | sort -nu | xargs; }
opens() { [[ $(open_ports) == "$*" ]]; }
in_lan_is_closed() { refuses lan $lan_ip:80 && refuses lan $lan_ip:8081; }

# all_right SECONDS [PORT]: all that is published answers. Beside it only PORT is open, and on 127.0.0.1 not in the LAN.
all_right() {
  local ports
  within "$1" all_answer || die "not all that is published answers"
  ports=$(printf '%s\n' 8080 8081 9000 {30000..30009} ${2:+"$2"} | sort -n | xargs)
  within 10 opens "$ports" || die "open on the host are $(open_ports) instead of $ports"
  in_lan_is_closed || die "a port that is not published there answers in the LAN"
}

# --- what happens to the machine --------------------------------------------------------------------------------------

does_not_answer() { ! answers fetch host 127.0.0.1:8080 "hello from everywhere"; }

# back EVENT BEGAN [PORT]: times how long after the moment BEGAN the ports answer, first one of them, then all.
back() {
  local first all event=$1 began=$2
  shift 2
  first=$(first_on_host tcp 8080 $boot_limit)
  [[ -n $first ]] || die "$event: 8080 does not answer again"
  first=$(seconds_between "$began" "$first")
  all_right $limit "$@"
  all=$(seconds_since "$began")
  good "$event: 8080 answers on the host after $first, every port after $all; what is not published is refused"
  note "$event" "$first, every port $all"
}

restarts() { grep -c 'reboot: Restarting system' "$work/$machine/console"; }
has_restarted() { (($(restarts) > $1)); }

reboot_machine() {
  local began before
  title "The machine is rebooted"
  before=$(restarts) || true
  began=$(now)
  in_vm $limit 'systemctl --no-block reboot' >/dev/null
  within $boot_limit has_restarted "$before" || die "the machine does not shut down"
  back "rebooted" "$began"
}

# boot_id: differs after each boot.
boot_id() { in_vm $limit 'cat /proc/sys/kernel/random/boot_id'; }
has_booted_since() { local id; id=$(boot_id) && [[ $id != "$1" ]]; }

reset_machine() {
  local began before
  title "The machine is reset, without shutting down"
  before=$(boot_id) || die "the machine does not say its boot_id"
  began=$(now)
  scripts/vm_machine ask "$work/$machine" system_reset
  back "reset" "$began"
  has_booted_since "$before" || die "the machine was not reset"
}

pause_machine() {  # [PORT]: is open
  local began
  title "The machine is paused for $pause s, then its clock is set forward"
  scripts/vm_machine ask "$work/$machine" stop
  sleep "$pause"
  does_not_answer || die "a machine that is paused answers"
  began=$(now)
  scripts/vm_machine ask "$work/$machine" cont
  back "paused for $pause s" "$began" "$@"
  in_vm $limit 'before=$(date +%s); busybox hwclock -s -u; echo "  its clock was $(($(date +%s) - before)) s behind"'
  all_right $limit "$@"
}

kill_machine() {
  local began
  title "The machine is killed (SIGKILL to QEMU) and started again"
  kill_program "$machine"
  within 10 none_answers || die "a machine that was killed answers"
  began=$(now)
  start_machine "$machine" "$work/link"
  back "killed" "$began"
}
none_answers() { does_not_answer && ! answers fetch_udp host 127.0.0.1:5353 "hello from by-udp"; }

stop_container() {
  local began
  title "A container stops"
  began=$(now)
  in_vm $limit 'docker rm -f on-loopback' >/dev/null
  expect_refused $limit host 127.0.0.1:8081
  good "localhost:8081 is refused after $(seconds_since "$began")"
}

show_units() {
  title "systemd"
  in_vm $limit 'systemctl is-active rancher-desktop-guestagent docker containerd | xargs; systemd-analyze security --no-pager rancher-desktop-guestagent 2>/dev/null | tail -n 1' |
    sed 's/^[^A-Za-z]*/  /'
}

# What the programs log when they have to do without a right, a filter of system calls, or an event of the kernel.
readonly lesser='the filter refused|runs without|are not filtered|scanning every second'

# expect_full_rights SERVICE…: since the last boot none did without, and each source and peer of the agent is well.
expect_full_rights() {
  local said
  in_vm $limit "rm -f /run/said; for unit in $*; do
    journalctl --boot --no-pager --output cat --unit \$unit >/run/one && grep -q ' ready ' /run/one && cat /run/one >>/run/said || exit; done" ||
    die "the log of one of $* does not say that it is ready"
  said=$(in_vm $limit "grep -E '$lesser' /run/said || [ \$? = 1 ]") || die "the log of $* cannot be read"
  [[ -z $said ]] || die "a program has less than its rights: $said"
  within $limit all_well || die "not every source and peer is well: $(in_vm 10 'guestagentctl status')"
  good "no program does without a right; every source and peer of the agent is well"
}
# The tables of sources and peers have the columns NAME and STATE first.
all_well() {
  in_vm 10 'guestagentctl status' | awk '$2 == "STATE" { inside = 1; next } NF == 0 { inside = 0 }
    inside { ++rows; if ($2 != "ok" && $2 != "synced") exit bad = 1 } END { exit bad || rows < 2 }'
}

# --- both ends in one machine -----------------------------------------------------------------------------------------

# ask_inside PLACE tcp|udp PORT: from the namespace that stands for the host, or from the machine's own one, `default`.
inside_answers() { [[ $(in_vm 10 "ask $1 $2 $3") == *"$4" ]]; }
expect_inside() {
  within $limit inside_answers "$@" || die "$1: wrong or no answer from $3/$2 (expected: $4)"
  good "$(printf '%-8s %-22s %s' "$1" "localhost:$3/$2" "$4")"
}
refuses_inside() { [[ $(in_vm 10 "ask $1 tcp $2") == *refused* ]]; }

expect_all_inside() {
  local place
  for place in host default; do
    expect_inside $place tcp 8080 "hello from everywhere"
    expect_inside $place tcp 8081 "hello from on-loopback"
    expect_inside $place udp 5353 "hello from by-udp"
    expect_inside $place tcp 9000 "hello from by-host-network"
    within $limit refuses_inside $place 8082 || die "$place: 8082 is open"
  done
  good "localhost:8082 is refused in both"
}

story_inside() {
  local began before
  title "Another machine has both ends inside: network-setup, vm-switch and host-switch over virtual sockets"
  began=$(now)
  start_machine both-ends
  becomes_active host-switch network-setup wsl-proxy rancher-desktop-guestagent
  good "their units are active after $(seconds_since "$began")"
  becomes_active load-image
  in_vm $limit 'docker run -d --restart=always --stop-signal KILL --name everywhere --hostname everywhere -p 8080:80 demo serve tcp 80 &&
    docker run -d --restart=always --stop-signal KILL --name on-loopback --hostname on-loopback -p 127.0.0.1:8081:80 demo serve tcp 80 &&
    docker run -d --restart=always --stop-signal KILL --name by-udp --hostname by-udp -p 5353:53/udp demo serve udp 53 &&
    docker run -d --restart=always --stop-signal KILL --name by-host-network --hostname by-host-network --network host demo serve tcp 9000' \
    >"$work/docker.log" || die "docker run failed"
  settle
  expect_all_inside
  in_vm $limit 'journalctl --boot --unit rancher-desktop-guestagent | grep -q "an engine publishes by iptables rules variant=legacy"' ||
    die "the agent does not find the engine's rules in iptables-legacy"
  good "dockerd publishes by iptables-legacy, whose modules it has loaded; the agent follows it"

  title "It is reset"
  before=$(boot_id) || die "the machine does not say its boot_id"
  began=$(now)
  scripts/vm_machine ask "$work/$machine" system_reset
  within $boot_limit has_booted_since "$before" || die "the machine was not reset"
  becomes_active rancher-desktop-guestagent
  within $boot_limit inside_answers host tcp 8080 "hello from everywhere" || die "8080 does not answer again"
  note "both ends reset" "$(seconds_since "$began")"
  expect_all_inside
  expect_full_rights host-switch network-setup wsl-proxy rancher-desktop-guestagent
}

# --- the story --------------------------------------------------------------------------------------------------------

begin_vm() {
  local place
  title "A host, its LAN, and a virtual machine"
  for place in host lan; do make_place $place; done
  wire host lan0 $lan_ip lan eth0 $neighbour_ip
  scripts/vm_image >"$work/image.log" 2>&1 || die "there is no disk for the machine"
  good "its disk has Debian's kernel, systemd, dockerd and this project's package"
}

story_vm() {
  [[ $link == inside ]] || story_outside
  [[ $link == outside ]] || story_inside
}

story_outside() {
  local began
  start host host-switch -debug "-listen=qemu://$work/link"
  within 10 test -S "$work/link" || die "host-switch does not listen"
  began=$(now)
  start_machine machine "$work/link"
  becomes_active rancher-desktop-guestagent
  good "the agent's unit is active $(seconds_since "$began") after the start ($(<"$work/machine/accelerator"))"
  becomes_active load-image
  good "dockerd runs, and has its image, after $(seconds_since "$began")"
  run_containers
  all_right $limit 8082
  good "all that is published answers on the host; what is not is refused there and in the LAN"
  title "guestagentctl ports"
  in_vm $limit 'guestagentctl ports' | sed 's/^/  /'
  reboot_machine
  pause_machine
  kill_machine
  reset_machine
  stop_container
  show_units
  expect_full_rights rancher-desktop-guestagent
  kill_program machine
}
