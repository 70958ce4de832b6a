# Sourced by demo/demo: what it shows in the modes tunnel, non-admin and privileged.

readonly summary_title="From the engine's start event to the first answered request"
seen_from=(host wsl)  # by users who open localhost
[[ $mode != privileged ]] || seen_from=(host)

begin_privileged() {
  title "Three places: the host, another WSL distribution, and Rancher Desktop's namespace"
  make_wired_places
  say "host $gateway_ip ──── $tap_ip rd $veth_ip ──── $wsl_ip wsl"
  start_agent
  good "the agent runs first, as in the product: no engine, no peers yet"
  start_vtunnel peer rd
  start_vtunnel host host
  start_privileged_service
  start_engine "vtunnel, the privileged service"
}

begin_tunnel() {
  title "The host and its LAN, the VM's default namespace, and Rancher Desktop's"
  make_unwired_places
  say "lan $neighbour_ip ──── $lan_ip host $gateway_ip ════ $tap_ip rd $veth_ip ──── $wsl_ip wsl"
  start_network
  good "network-setup and host-switch have met over a UNIX socket: the engine's namespace exists"
  start_agent
  good "the agent runs first in it, as in the product: no engine, no wsl-proxy yet"
  start_wsl_proxy
  start_engine "host-switch, vm-switch, wsl-proxy"
}
begin_non_admin() { begin_tunnel; }

start_engine() {  # PEERS
  start_dockerd
  within 20 docker version >/dev/null 2>&1 || die "dockerd does not start"
  make_image
  within 5 control status >/dev/null 2>&1 || die "the agent does not answer guestagentctl"
  good "$1 and dockerd $(docker version -f '{{.Server.Version}}') run"
}

run_server() { docker run -d --name "$1" --hostname "$1" -p "$2" demo sh -c "$serve" >/dev/null; }  # NAME PORTS

run_everywhere() {
  say "docker run -p 8080:80                      on every address"
  run_timed everywhere tcp 8080 -p 8080:80 demo sh -c "$serve"
}

run_four_containers() {
  title "Containers, published in four ways"
  run_everywhere
  say "docker run -p 127.0.0.1:8081:80            on loopback only"
  run_timed on-loopback tcp 8081 -p 127.0.0.1:8081:80 demo sh -c "$serve"
  say "docker run -p 5353:53/udp                  UDP"
  run_timed by-udp udp 5353 -p 5353:53/udp demo sh -c "$serve_udp"
  say "docker run -p 30000-30009:8000-8009        a range"
  run_timed a-range tcp 30009 -p 30000-30009:8000-8009 demo sh -c "$serve_range"
}

shows() {
  control ports | grep -q "$1"
}

show_ports() {
  title "guestagentctl ports"
  control ports | sed 's/^/  /'
}

# The last listing that guestagentctl --watch has written.
last_listing() { awk '/^PROTOCOL/ { text = "" } { text = text $0 "\n" } END { printf "%s", text }' "$work/watch.log"; }
last_listing_shows() { [[ $(last_listing) == PROTOCOL*:"$1 "* ]]; }
last_listing_lacks() { [[ $(last_listing) == PROTOCOL* ]] && ! last_listing_shows "$1"; }

# Without modules, which the image does not have: the answer, or the error of connect().
ask='alarm 2; ($to, $port, $path) = @ARGV; socket(S, 2, 1, 0);
  connect(S, pack("SnC4x8", 2, $port, split(/\./, $to))) or print("$!\n"), exit;
  syswrite(S, "GET $path HTTP/1.0\r\nHost: gateway.rancher-desktop.internal\r\n\r\n"); print while <S>'
by_container() { docker exec "$1" perl -e "$ask" "${@:2}" 2>&1 || true; }  # NAME ADDRESS PORT PATH
container_reads() { [[ $(by_container "${@:2}") == *"$1" ]]; }             # TEXT NAME ADDRESS PORT PATH

# What a container reaches on the host, and what it must not.
show_way_out() {
  local place
  title "A container asks the host"
  mkdir "$work/www"
  echo "hello from the host" >"$work/www/index.html"
  nsenter --net="/run/netns/$(netns host)" setpriv --pdeathsig KILL busybox httpd -f -p 127.0.0.1:8090 -h "$work/www" </dev/null &
  pid_of[httpd]=$!
  disown
  within 5 container_reads "hello from the host" everywhere 192.168.127.254 8090 / || die "a container does not reach the host's localhost"
  good "192.168.127.254:8090 is the host's localhost:8090"
  [[ $(by_container everywhere $gateway_ip 80 /services/forwarder/all) == *refused* ]] || die "a container reaches host-switch's API"
  for place in host lan; do expect_refused 0 $place $gateway_ip:80; done
  expect_refused 0 lan $lan_ip:80
  good "host-switch's API answers the agent, and refuses containers, the host's users and the LAN"
}

say_back() {  # PART BEGAN
  good "$(printf '%-26s is back: all ports are correct again after %d ms' "$1" $(((${EPOCHREALTIME/[.,]/} - $2) / 1000)))"
}

all_right() { # PLACE…
  local place
  for place in "$@"; do
    answers fetch "$place" 127.0.0.1:8082 "hello from newcomer" && answers fetch "$place" 127.0.0.1:30005 "hello from a-range" &&
      answers fetch_udp "$place" 127.0.0.1:5353 "hello from by-udp" || return 1
  done
}
kill_network() {
  local part began
  title "The virtual network's parts are killed with -9"
  for part in host-switch network-setup; do
    kill_program $part
    began=${EPOCHREALTIME/[.,]/}
    "start_${part/-/_}"
    within 10 all_right host wsl || die "the ports do not answer after the restart of $part"
    say_back $part "$began"
  done
}

story_tunnel() {
  local place held count restarted
  run_four_containers

  title "A container of containerd, as nerdctl makes it"
  say "nerdctl run -p 127.0.0.1:8083:80           by the CNI plugins"
  nerdctl_run by-nerdctl 127.0.0.1 8083 || die "the container does not start"

  title "Requests to localhost, on the host and in the other distribution"
  for place in host wsl; do
    expect_answer fetch $place 127.0.0.1:8080 "hello from everywhere"
    expect_answer fetch $place 127.0.0.1:8081 "hello from on-loopback"
    expect_answer fetch $place 127.0.0.1:8083 "hello from by-nerdctl"
    expect_answer fetch_udp $place 127.0.0.1:5353 "hello from by-udp"
    expect_answer fetch $place 127.0.0.1:30000 "hello from a-range"
    expect_answer fetch $place 127.0.0.1:30009 "hello from a-range"
  done
  expect_answer fetch host "[::1]:8080" "hello from everywhere"
  within 2 answers fetch lan $lan_ip:8080 "hello from everywhere" || die "8080 is not open in the host's LAN"
  expect_refused 0 lan $lan_ip:8081
  good "8080 is open in the host's LAN, 8081 is not: it was published on 127.0.0.1"

  show_way_out

  show_ports

  title "A container stops"
  as=watch start rd guestagentctl ports --watch "-socket=$work/status.sock"
  within 5 last_listing_shows 8081 || die "guestagentctl ports --watch does not show 8081"
  docker stop -t 1 on-loopback >/dev/null
  for place in host wsl; do expect_refused 2 $place 127.0.0.1:8081; done
  good "localhost:8081 is refused, on both"
  within 5 last_listing_lacks 8081 || die "guestagentctl ports --watch still shows 8081"
  good "guestagentctl ports --watch has seen it"

  title "The agent is killed with -9"
  kill_program rancher-desktop-guestagent
  for place in host wsl; do expect_answer fetch $place 127.0.0.1:8080 "hello from everywhere"; done
  say "meanwhile 'everywhere' is removed, and 'newcomer' takes a port"
  docker rm -f everywhere >/dev/null
  run_server newcomer 127.0.0.1:8082:80
  restarted=${EPOCHREALTIME/[.,]/}
  start_agent
  for place in host wsl; do expect_back $place 127.0.0.1:8082 "hello from newcomer"; done
  for place in host wsl; do expect_refused 10 $place 127.0.0.1:8080; done
  say_back "the agent" "$restarted"
  for place in host wsl; do
    expect_answer fetch $place 127.0.0.1:8082 "hello from newcomer"
    expect_answer fetch $place 127.0.0.1:8083 "hello from by-nerdctl"
    expect_answer fetch_udp $place 127.0.0.1:5353 "hello from by-udp"
    expect_answer fetch $place 127.0.0.1:30005 "hello from a-range"
  done
  kill_network
  held=$(on rd curl -s --max-time 2 http://$gateway_ip/services/forwarder/all)
  [[ $held == *'"127.0.0.1:2222"'* ]] || die "host-switch lost its static forward: $held"
  count=$(grep -o '"local"' <<<"$held" | wc -l)
  ((count == 14)) || die "host-switch holds $count forwards instead of 14: $held"
  good "host-switch holds exactly what is published, and its own static forward"
}

story_non_admin() {
  local place
  title "Everything on 127.0.0.1, and ports below 1024 restricted"
  run_everywhere
  say "docker run -p 90:80                        a privileged port"
  run_server low 90:80
  for place in host wsl; do expect_answer fetch $place 127.0.0.1:8080 "hello from everywhere"; done
  expect_refused 0 lan $lan_ip:8080
  good "8080 is not open in the host's LAN, though it was published on every address"
  within 5 shows restricted || die "guestagentctl does not show port 90 as restricted"
  for place in host wsl; do expect_refused 0 $place 127.0.0.1:90; done
  good "localhost:90 is refused"

  show_ports

  title "The same with -restrictPrivilegedPorts=false"
  kill_program rancher-desktop-guestagent
  start_agent -restrictPrivilegedPorts=false
  for place in host wsl; do expect_answer fetch $place 127.0.0.1:90 "hello from low"; done
  expect_refused 0 lan $lan_ip:90
  good "90 is open on 127.0.0.1 only"
}

story_privileged() {
  local part
  run_four_containers
  run_server low 90:80

  title "Requests to localhost on the host, through the privileged service"
  expect_answer fetch host 127.0.0.1:8080 "hello from everywhere"
  expect_answer fetch host "[::1]:8080" "hello from everywhere"
  expect_answer fetch host 127.0.0.1:8081 "hello from on-loopback"
  expect_answer fetch_udp host 127.0.0.1:5353 "hello from by-udp"
  expect_answer fetch host 127.0.0.1:30009 "hello from a-range"
  expect_answer fetch host 127.0.0.1:90 "hello from low"
  expect_refused 0 host $gateway_ip:8081
  expect_refused 0 wsl 127.0.0.1:8080
  good "8081 is open on localhost only; the other distribution has no ports in this mode"

  show_ports

  title "Every part is killed with -9 while a container goes and another comes"
  run_server web0 8100:80
  expect_answer fetch host 127.0.0.1:8100 "hello from web0"
  local number=0 began
  for part in rancher-desktop-guestagent vtunnel-peer vtunnel-host privileged-service; do
    kill_program $part
    docker rm -f web$number >/dev/null
    run_server web$((number + 1)) $((8101 + number)):80
    began=${EPOCHREALTIME/[.,]/}
    case $part in
      vtunnel-peer) start_vtunnel peer rd ;;
      vtunnel-host) start_vtunnel host host ;;
      privileged-service) start_privileged_service ;;
      *) start_agent ;;
    esac
    expect_back host 127.0.0.1:$((8101 + number)) "hello from web$((number + 1))"
    expect_refused 10 host 127.0.0.1:$((8100 + number))
    expect_back host 127.0.0.1:8080 "hello from everywhere"
    say_back $part "$began"
    number=$((number + 1))
  done

  title "The VM gets another address"
  ip -n "$(netns rd)" address del $tap_ip/24 dev eth0
  ip -n "$(netns rd)" address add 192.168.127.77/24 dev eth0
  expect_back host 127.0.0.1:8080 "hello from everywhere"
  expect_back host 127.0.0.1:8081 "hello from on-loopback"
  good "the agent announced the new address: 8080 and 8081 answer again"
}
