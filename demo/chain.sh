# Sourced by demo/demo for the modes tunnel, non-admin and privileged: their places, and the programs in them.

docker() { DOCKER_HOST=unix://$work/docker.sock DOCKER_CONFIG=$work/client command docker "$@"; }
control() { on rd "$programs/guestagentctl" "$@" "-socket=$work/status.sock"; }

# --- the places -------------------------------------------------------------------------------------------------------

# If dockerd enables forwarding itself, it also sets the FORWARD policy to DROP, which hits other containers, too.
allow_forwarding() { on rd sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'; }

# Where the kernel connects the host with the VM.
make_wired_places() {
  local place
  for place in host wsl rd; do make_place $place; done
  wire host rd $gateway_ip rd eth0 $tap_ip
  wire wsl rd $wsl_ip rd veth-rd-ns $veth_ip
  allow_forwarding
}

# Where host-switch does: the engine's namespace comes from network-setup.
make_unwired_places() {
  local place
  for place in host lan wsl; do make_place $place; done
  wire host lan0 $lan_ip lan eth0 $neighbour_ip
}

# --- the programs -----------------------------------------------------------------------------------------------------

# start_agent FLAGS…: with additional flags.
start_agent() {
  local -A flags_of=([tunnel]="-adminInstall=true" [non-admin]="-adminInstall=false" [privileged]="-privilegedService -vtunnelAddr=127.0.0.1:3040")
  # shellcheck disable=SC2086
  start rd rancher-desktop-guestagent ${flags_of[$mode]} "$@" -kubernetes=false -docker=true -containerd=true -iptables=false -debug=true \
    "-containerdSock=$work/exec/containerd/containerd.sock" \
    "-docker-socket=$work/docker.sock" "-wsl-proxy-socket=$work/wsl-proxy.sock" "-status-socket=$work/status.sock" \
    "-state-dir=$work/state" "-host-switch-url=http://$gateway_ip:80"
}

start_host_switch() { start host host-switch -debug "-listen=handshake://$work/link" "-port-forward=127.0.0.1:2222=$tap_ip:22"; }
start_network_setup() {
  start wsl network-setup -debug "-logfile=$work/network-setup.file.log" "-vm-switch-path=$programs/vm-switch" \
    "-vm-switch-logfile=$work/vm-switch.log" "-connect=handshake://$work/link" "-unshare-arg=$work/init" \
    "-pid-file=$work/init.pid" "-dhcp-script=$work/dhcp-script"
}
start_wsl_proxy() { start wsl wsl-proxy -debug "-logfile=$work/wsl-proxy.file.log" "-socketFile=$work/wsl-proxy.sock"; }
start_privileged_service() { start host privileged-service -debug "-socketFile=$work/privileged-service.sock"; }
start_vtunnel() { # peer|host PLACE
  cat >"$work/vtunnel.yaml" <<TEXT
tunnel:
  - name: demo
    handshake-port: unix:$work/handshake.sock
    vsock-host-port: unix:$work/data.sock
    peer-address: 127.0.0.1
    peer-port: 3040
    upstream-server-address: unix:$work/privileged-service.sock
TEXT
  as=vtunnel-$1 start "$2" vtunnel "$1" "-config-path=$work/vtunnel.yaml" -debug
}

# What network-setup and vm-switch start in the VM. The init ends with this script, however that ends: then nothing holds
# the other end of the pipe.
write_vm_programs() {
  mkdir "$work/bin"
  ln -s "$(command -v busybox)" "$work/bin/udhcpc"
  mkfifo "$work/lifeline"
  printf '#!/bin/sh\nexec cat %q\n' "$work/lifeline" >"$work/init"
  cat >"$work/dhcp-script" <<'TEXT'
#!/bin/sh
case $1 in bound | renew)
  ip address replace "$ip/$mask" dev "$interface"
  ip route replace default via "$router" dev "$interface" ;;
esac
TEXT
  chmod +x "$work/init" "$work/dhcp-script"
  exec {lifeline}<>"$work/lifeline"
}

# The engine's namespace has no name: network-setup makes it for the init.
name_engine_namespace() {
  local init
  init=$(cat "$work/init.pid" 2>/dev/null) && ip netns attach "$(netns rd)" "$init" 2>/dev/null
}

# The VM's network, as the product starts it: host-switch on the host, network-setup in the VM.
start_network() {
  write_vm_programs
  start_host_switch
  start_network_setup
  within 10 name_engine_namespace || die "network-setup makes no namespace"
  allow_forwarding
}

# In a pid and mount namespace of its own, as its first process: when it ends, containers, shims and mounts are gone.
start_dockerd() {
  touch /run/xtables.lock "$work/xtables.lock"
  # shellcheck disable=SC2016
  nsenter --net="/run/netns/$(netns rd)" setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc bash -c '
    mount --bind /run/xtables.lock "$1/xtables.lock"
    mount -t tmpfs tmpfs /run && touch /run/xtables.lock && mount --bind "$1/xtables.lock" /run/xtables.lock
    mkdir -p /run/etc/upper /run/etc/work
    mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work /etc
    mount -t tmpfs tmpfs /opt
    export TMPDIR=$1  # a containerd that is stopped writes its stacks there
    exec dockerd --data-root "$1/data" --exec-root "$1/exec" -H "unix://$1/docker.sock" --pidfile "$1/dockerd.pid" \
      --bip 10.99.0.1/24 --cgroup-parent "/$2" --exec-opt native.cgroupdriver=cgroupfs' \
    dockerd "$work" "$name" >"$work/dockerd.log" 2>&1 </dev/null &
  pid_of[dockerd]=$!
  disown
}

# In dockerd's namespaces, where its containerd and its containers are.
inside() {
  local daemon
  read -r daemon _ <"/proc/${pid_of[dockerd]}/task/${pid_of[dockerd]}/children"
  nsenter --target "$daemon" --mount --net --pid "$@"
}
ctr() { command ctr -a "$work/exec/containerd/containerd.sock" -n default "$@"; }
cni() { # PLUGIN CONTAINER CONFIG
  inside env CNI_COMMAND=ADD "CNI_CONTAINERID=default-$2" "CNI_NETNS=/run/netns/$2" CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni "/usr/lib/cni/$1" <<<"$3"
}

# nerdctl_run NAME HOST_IP HOST_PORT: does the work of nerdctl run -p HOST_IP:HOST_PORT:80: a network and rules by the
# CNI plugins, a container with nerdctl's labels, a task.
nerdctl_run() {
  local cni_head='"cniVersion":"0.4.0","name":"bridge"' bridged
  inside ip netns add "$1" || return
  bridged=$(cni bridge "$1" "{$cni_head,\"type\":\"bridge\",\"bridge\":\"nerdctl0\",\"isGateway\":true,\"ipMasq\":true,\"ipam\":{\"type\":\"host-local\",
    \"dataDir\":\"$work/ipam\",\"ranges\":[[{\"subnet\":\"10.4.0.0/24\"}]],\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}}") || return
  cni portmap "$1" "{$cni_head,\"type\":\"portmap\",\"prevResult\":$bridged,\"capabilities\":{\"portMappings\":true},\"runtimeConfig\":{\"portMappings\":
    [{\"hostPort\":$3,\"containerPort\":80,\"protocol\":\"tcp\",\"hostIP\":\"$2\"}]}}" >/dev/null || return
  cat >"$work/$1.json" <<TEXT
{"ociVersion": "1.0.2", "hostname": "$1", "root": {"path": "$work/image"},
 "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "env": ["PATH=/bin", "HOSTNAME=$1"],
   "args": ["/bin/sh", "-c", "exec busybox httpd -f -p 80 -h /www"],
   "capabilities": {"bounding": ["CAP_NET_BIND_SERVICE"], "effective": ["CAP_NET_BIND_SERVICE"], "permitted": ["CAP_NET_BIND_SERVICE"]}},
 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
 "linux": {"cgroupsPath": "/$name/$1", "namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"},
   {"type": "network", "path": "/run/netns/$1"}]}}
TEXT
  echo "hello from $1" >"$work/image/www/index.html"
  ctr containers create --config "$work/$1.json" --label "nerdctl/name=$1" \
    --label "nerdctl/ports=[{\"HostPort\":$3,\"ContainerPort\":80,\"Protocol\":\"tcp\",\"HostIP\":\"$2\"}]" "$1" || return
  ctr tasks start --detach --null-io "$1"
}

# One image for all containers: busybox's httpd, and perl for UDP.
make_image() {
  local root=$work/image library
  mkdir -p "$root/bin" "$root/www"
  cp "$(command -v busybox)" "$root/bin/busybox"
  for tool in sh cat sleep; do ln -s busybox "$root/bin/$tool"; done
  cp /usr/bin/perl "$root/bin/perl"
  ldd /usr/bin/perl | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done
  tar -C "$root" -c . | docker import - demo >"$work/image.id"
}

# The processes of the engine's namespace end with the init, which has to end for its mounts to go.
end_mode() {
  local init
  [[ -n ${lifeline:-} ]] || return 0
  exec {lifeline}>&-
  ! init=$(cat "$work/init.pid" 2>/dev/null) || within 5 is_gone "$init"
}
collect_logs() { :; }

# --- probing ----------------------------------------------------------------------------------------------------------

# run_timed NAME tcp|udp PORT ARGUMENTS…: docker run, and how long after its start event the port answered.
run_timed() {
  local container=$1 protocol=$2 port=$3 place deadline begin
  deadline=$((${EPOCHREALTIME/[.,]/} + 15000000))
  begin=${EPOCHREALTIME/,/.}
  for place in "${seen_from[@]}"; do
    rm -f "$work/idle-$place"
    mkfifo "$work/idle-$place"
    nsenter --net="/run/netns/$(netns $place)" setpriv --pdeathsig KILL bash -c "$(declare -f first_answer); trap '' PIPE; first_answer \"\$@\"" - "$protocol" "$port" "$deadline" "$work/idle-$place" \
      >"$work/first-$place" 2>/dev/null &
  done
  docker run -d --name "$container" --hostname "$container" "${@:4}" >/dev/null || die "docker run $container failed"
  wait
  local started
  started=$(docker events --since "$begin" --until "$(date +%s.%N)" --filter "container=$container" --filter event=start --format '{{.TimeNano}}' | head -1)
  local text=''
  for place in "${seen_from[@]}"; do
    [[ -s $work/first-$place ]] || die "$container: no answer in $place within 15 s"
    text+=$(printf '%8.1f ms in %-4s' "$(bc_ms "$(<"$work/first-$place")" "$started")" "$place")
  done
  summary+=("$(printf '%-22s %s' "$container" "$text")")
}
bc_ms() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", a / 1000 - b / 1000000 }'; }

serve='echo "hello from $HOSTNAME" >/www/index.html; exec busybox httpd -f -p 80 -h /www'
serve_range='echo "hello from $HOSTNAME" >/www/index.html; for p in $(busybox seq 8000 8009); do busybox httpd -p $p -h /www; done; exec sleep 100000'
serve_udp='exec perl -e '\''socket(S, 2, 2, 0); bind(S, pack("Snx12", 2, 53)) or die;
  while (defined($from = recv(S, $_, 65536, 0))) { send(S, "hello from $ENV{HOSTNAME}\n", 0, $from) }'\'''
