# Sourced by ./dev: the Debian 12 packages that each command needs, and how to install them.

readonly build_packages=(
  clang-19 lld-19 llvm-19 libclang-rt-19-dev libstdc++-12-dev make cmake ninja-build ccache pkgconf libboost1.81-dev libspdlog-dev libfmt-dev libssl-dev libgtest-dev libgmock-dev
  libbenchmark-dev libyaml-cpp-dev libc-ares-dev libnghttp2-dev libprotozero-dev)
readonly run_packages=(
  iproute2 iptables nftables docker.io containerd containernetworking-plugins busybox-static curl ca-certificates procps
  util-linux socat podman)  # and scripts/promtool
readonly vm_packages=(qemu-system-x86 qemu-utils mmdebstrap e2fsprogs)  # and scripts/guest_kernel, scripts/vm_image
readonly page_packages=(chromium-headless-shell)  # and scripts/axe_core
readonly bench_packages=(haproxy nginx-light libnginx-mod-stream passt slirp4netns)
readonly arm64_packages=(qemu-user)  # and scripts/arm64_root, with these:
readonly arm64_root_packages=(
  libc6-dev libstdc++-12-dev libboost1.81-dev libspdlog-dev libfmt-dev libssl-dev libgtest-dev libgmock-dev
  libyaml-cpp-dev libc-ares-dev libnghttp2-dev libprotozero-dev)
readonly lint_packages=(clang-tidy-19 clang-format-19)
readonly package_packages=(dpkg-dev lintian)
readonly package_test_packages=(mmdebstrap)  # and scripts/debian_root

say() { printf '\033[1m==> %s\033[0m\n' "$*"; }
fail() {
  printf 'dev: %s\n' "$*" >&2
  exit 1
}

# as_root COMMAND…: runs it as root, through sudo or su if needed.
as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo -- "$@"
  elif command -v su >/dev/null && [[ -t 0 ]]; then
    su root -c "$(printf '%q ' "$@")"
  else
    fail "needs root for: $*"
  fi
}

missing_packages() {
  local name
  for name in "$@"; do
    [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || echo "$name"
  done
}

# show_progress COUNT: shows apt-get's progress over COUNT packages as one line, rewritten in place on a terminal.
show_progress() {
  local count=$1 words step fetched=0 unpacked=0 configured=0
  while IFS=' ' read -r -a words; do
    case ${words[*]:0:2} in
      Get:*) step="fetching $((++fetched))" name=${words[4]:-} ;;
      Unpacking\ *) step="unpacking $((++unpacked))" name=${words[1]} ;;
      Setting\ up) step="setting up $((++configured))" name=${words[2]:-} ;;
      *) continue ;;
    esac
    [[ ! -t 1 ]] || printf '\r\033[K    %s of %s: %.40s' "$step" "$count" "${name%%:*}"
  done
  [[ ! -t 1 ]] || printf '\r\033[K'
}

# The part that runs as root. Packages with a daemon (docker.io, nginx …) must not start it here. Debian's hook for that
# is in place during the installation, unless the machine has its own.
install_as_root() {
  local hook=/usr/sbin/policy-rc.d
  if [[ ! -e $hook ]]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$hook"
    chmod 0755 "$hook"
  fi
  export DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes LC_ALL=C
  local install=(apt-get install --yes --quiet=1 --no-install-recommends -o Dpkg::Use-Pty=0
    -o DPkg::Lock::Timeout=300) count
  apt-get update --quiet=2
  # First finish an interrupted installation; apt-get itself only prints an error.
  ! compgen -G '/var/lib/dpkg/updates/[0-9]*' >/dev/null || dpkg --configure --pending >/dev/null
  count=$("${install[@]}" --simulate "$@" | grep --count '^Inst ') || true
  "${install[@]}" "$@" </dev/null | show_progress "$count"
  say "installed $count packages in $SECONDS s"
}

# need PACKAGE…: installs missing packages.
need() {
  local missing
  command -v dpkg-query >/dev/null || fail "needs Debian 12 (dpkg-query is missing)"
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]} == 0)) && return
  say "installing with apt-get, as root: ${missing[*]}"
  as_root "$root/dev" --install "${missing[@]}"
}
