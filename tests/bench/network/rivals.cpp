#include "tests/bench/network/rivals.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <stdexcept>

#include "tests/bench/network/expose.hpp"
#include "tests/support/eventually.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;
using words = std::vector<std::string>;

constexpr auto loopback = net::address::loopback_v4();
constexpr auto gateway = net::address::v4(192, 168, 127, 1), vm_address = net::address::v4(192, 168, 127, 2),
               host_address = net::address::v4(192, 168, 127, 254);
constexpr const char* vm_mac = "5a:94:ef:e4:0c:ee";  // the one whose lease is vm_address
constexpr const char* tap = "eth0";

pid_t start(subject& s, const support::netns& where, words argv, const std::filesystem::path& log,
            words environment = {}) {
  return s.processes
      .emplace_back(support::child_options{
          .argv = std::move(argv), .environment = std::move(environment), .log = log, .net_namespace = where.path()})
      .pid();
}

void wait_for_socket(const std::filesystem::path& socket) {
  if (!support::eventually(20s, [&] { return std::filesystem::exists(socket); }))
    throw std::runtime_error("no socket " + socket.string());
}

void wait_for_interface(const support::netns& where, const std::string& interface) {
  const auto exists = [&] {
    return support::run_command({.argv = {"ip", "-n", where.name(), "link", "show", "dev", interface}}).exit_code == 0;
  };
  if (!support::eventually(20s, exists)) throw std::runtime_error("no interface " + interface);
}

// An address and, for the VM, the way out.
void set_address(const support::netns& where, const std::string& interface, const std::string& cidr,
                 const std::string& router = {}) {
  wait_for_interface(where, interface);
  where.ip({"link", "set", interface, "mtu", "1500", "up"});
  where.ip({"address", "replace", cidr, "dev", interface});
  if (!router.empty()) where.ip({"route", "replace", "default", "via", router, "dev", interface});
}

// What each recipe needs.
struct kitchen {
  std::filesystem::path programs, directory;

  [[nodiscard]] std::filesystem::path file(const subject& s, const char* ending) const {
    return directory / (s.name + ending);
  }
  // Of which nothing is left from a subject before.
  [[nodiscard]] std::filesystem::path fresh_socket(const subject& s) const {
    auto path = file(s, ".sock");
    std::filesystem::remove(path);
    return path;
  }
};

void start_veth(subject& s) {
  support::connect({&s.place.host, "vm0", "10.90.0.1/24"}, {&s.place.vm, tap, "10.90.0.2/24"});
  s.host_address = net::address::v4(10, 90, 0, 1);
  s.vm_address = net::address::v4(10, 90, 0, 2);
}

pid_t start_copier(subject& s, const support::netns& where, const kitchen& k, const char* role, const char* framing) {
  return start(s, where, {"/proc/self/exe", "--copy-frames", tap, role, k.file(s, ".sock"), framing},
               k.file(s, ".log"));
}

void start_wire(subject& s, const kitchen& k) {
  static_cast<void>(k.fresh_socket(s));
  s.host_end = start_copier(s, s.place.host, k, "listen", "stdio");
  s.vm_end = start_copier(s, s.place.vm, k, "connect", "stdio");
  set_address(s.place.host, tap, "10.90.0.1/24");
  set_address(s.place.vm, tap, "10.90.0.2/24");
  s.host_address = net::address::v4(10, 90, 0, 1);
  s.vm_address = net::address::v4(10, 90, 0, 2);
}

// vm-switch has the connection as descriptor 3, as network-setup hands it over. The address is set here, with or
// without a DHCP client on this machine.
void start_ours(subject& s, const kitchen& k, bool offload) {
  const auto socket = k.fresh_socket(s), log = k.file(s, ".log");
  s.host_end = start(s, s.place.host, {k.programs / "host-switch", "-listen", "unix://" + socket.string()}, log);
  wait_for_socket(socket);
  s.vm_end = start(s, s.place.vm,
                   {"/proc/self/exe", "--run-connected", socket, k.programs / "vm-switch", "-tap-interface", tap,
                    "-tap-mac-address", vm_mac, "-logfile", k.file(s, "-vm.log")},
                   log, {fmt::format("GUESTAGENT_LINK_OFFLOAD={}", offload ? 1 : 0)});
  set_address(s.place.vm, tap, "192.168.127.2/24", gateway.to_string());
  s.host_address = host_address;
  s.vm_address = loopback;
  expose_by_gateway(s.place.vm, gateway, vm_address);
}

// passt takes its configuration from the interface with the default route.
void start_passt(subject& s, const kitchen& k) {
  const auto socket = k.fresh_socket(s);
  s.place.host.ip({"link", "add", "up0", "type", "veth", "peer", "name", "up1"});
  s.place.host.ip({"link", "set", "up1", "up"});
  set_address(s.place.host, "up0", "192.0.2.2/24", "192.0.2.1");
  const auto ports = fmt::format("{}-{},{}-{}", vm_first, vm_first + target_ports - 1, container_first,
                                 container_first + target_ports - 1);
  s.host_end = start(s, s.place.host,
                     {"passt",       "--foreground", "--quiet",     "--runas",   "0",           "--socket",  socket,
                      "--ipv4-only", "--mtu",        "1500",        "--address", "10.0.2.15",   "--netmask", "24",
                      "--gateway",   "10.0.2.2",     "--tcp-ports", ports,       "--udp-ports", ports},
                     k.file(s, ".log"));
  s.vm_end = start_copier(s, s.place.vm, k, "connect", "qemu");
  set_address(s.place.vm, tap, "10.0.2.15/24", "10.0.2.2");
  s.host_address = net::address::v4(10, 0, 2, 2);  // passt makes the gateway's address the host's loopback
  s.vm_address = loopback;
}

void start_slirp(subject& s, const kitchen& k) {
  const auto socket = k.fresh_socket(s);
  s.host_end = start(s, s.place.host,
                     {"slirp4netns", "--configure", "--mtu=1500", "--disable-dns", "--netns-type=path", "--api-socket",
                      socket, s.place.vm.path(), tap},
                     k.file(s, ".log"));
  wait_for_interface(s.place.vm, tap);
  s.host_address = net::address::v4(10, 0, 2, 2);
  s.vm_address = loopback;
  expose_by_slirp(socket, net::address::v4(10, 0, 2, 100));
}

// gvforwarder finds the tap made and configured: by itself it needs a DHCP client.
void start_gvproxy(subject& s, const kitchen& k, const std::string& gvproxy, const std::string& gvforwarder) {
  const auto socket = k.fresh_socket(s), log = k.file(s, ".log");
  s.host_end =
      start(s, s.place.host, {gvproxy, "-listen", "unix://" + socket.string(), "-mtu", "1500", "-ssh-port", "-1"}, log);
  wait_for_socket(socket);
  s.place.vm.ip({"tuntap", "add", tap, "mode", "tap"});
  s.place.vm.ip({"link", "set", tap, "address", vm_mac});
  s.vm_end = start(
      s, s.place.vm,
      {gvforwarder, "-url", "unix://" + socket.string(), "-iface", tap, "-preexisting", "-stop-if-exist", ""}, log);
  set_address(s.place.vm, tap, "192.168.127.2/24", gateway.to_string());
  s.host_address = host_address;
  s.vm_address = loopback;
  expose_by_gateway(s.place.vm, gateway, vm_address);
}

std::string without_program(const std::filesystem::path& file) {
  return std::filesystem::exists(file) ? "" : file.string() + " does not exist";
}

std::string without_ours(const kitchen& k) {
  const auto missing = without_program(k.programs / "host-switch");
  return missing.empty() ? without_program(k.programs / "vm-switch") : missing;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing sets it
  return value == nullptr ? "" : value;
}

recipe gvproxy_recipe(const kitchen& k) {
  const auto gvproxy = variable("GVPROXY"), gvforwarder = variable("GVFORWARDER");
  if (gvproxy.empty() || gvforwarder.empty())
    return {names::gvproxy, "GVPROXY and GVFORWARDER do not name its programs", {}};
  const auto missing = without_program(gvproxy);
  return {names::gvproxy, missing.empty() ? without_program(gvforwarder) : missing,
          [=](subject& s) { start_gvproxy(s, k, gvproxy, gvforwarder); }};
}

}  // namespace

std::vector<recipe> recipes(const std::filesystem::path& programs, const std::filesystem::path& directory) {
  const kitchen k{std::filesystem::absolute(programs), directory};
  return {{names::veth, "", start_veth},
          {names::wire, "", [k](subject& s) { start_wire(s, k); }},
          {names::plain, without_ours(k), [k](subject& s) { start_ours(s, k, false); }},
          {names::offload, without_ours(k), [k](subject& s) { start_ours(s, k, true); }},
          {names::passt, without_program("/usr/bin/passt"), [k](subject& s) { start_passt(s, k); }},
          {names::slirp, without_program("/usr/bin/slirp4netns"), [k](subject& s) { start_slirp(s, k); }},
          gvproxy_recipe(k)};
}

}  // namespace bench
