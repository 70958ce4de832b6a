#include "tests/bench/network/arena.hpp"

#include <fmt/format.h>

#include <fstream>
#include <initializer_list>

#include "tests/support/child_process.hpp"

namespace bench {
namespace {

constexpr const char* bridge = "docker0";
constexpr const char* container_network = "172.17.0.0/16";

void write_setting(const std::string& name, const std::string& value) {
  std::ofstream("/proc/sys/net/ipv4/" + name) << value;
}

// A machine's default may be bbr, whose timer would be what is measured. Cubic is a module; reno is always there.
void set_up_tcp(const support::netns& where) {
  where.run([] {
    for (const auto* name : {"reno", "cubic"}) write_setting("tcp_congestion_control", name);
    write_setting("ip_local_port_range", "10000 65000");
    write_setting("ip_forward", "1");
  });
}

void nat_rule(const support::netns& where, std::initializer_list<std::string> words) {
  std::vector<std::string> argv{"iptables", "-w", "-t", "nat", "-A"};
  argv.insert(argv.end(), words);
  support::run_or_throw({.argv = std::move(argv), .net_namespace = where.path()});
}

void attach_container(const support::netns& vm, const support::netns& container) {
  vm.ip({"link", "add", bridge, "type", "bridge"});
  vm.ip({"address", "add", "172.17.0.1/16", "dev", bridge});
  vm.ip({"link", "set", bridge, "up"});
  vm.ip({"link", "add", "container0", "type", "veth", "peer", "name", "eth0", "netns", container.name()});
  vm.ip({"link", "set", "container0", "master", bridge, "up"});
  container.ip({"address", "add", "172.17.0.2/16", "dev", "eth0"});
  container.ip({"link", "set", "eth0", "up"});
  container.ip({"route", "add", "default", "via", "172.17.0.1"});
  const auto ports = fmt::format("{}:{}", container_first, container_first + target_ports - 1);
  nat_rule(vm, {"PREROUTING", "!", "-i", bridge, "-p", "tcp", "--dport", ports, "-j", "DNAT", "--to-destination",
                "172.17.0.2"});
  nat_rule(vm, {"POSTROUTING", "-s", container_network, "!", "-o", bridge, "-j", "MASQUERADE"});
}

}  // namespace

served_target::served_target(const support::netns& where, std::uint16_t first) {
  where.run([&] { server_ = std::make_unique<target_server>(net::address::any_v4(), first); });
  thread_ = std::jthread([server = server_.get()] {
    while (server->serve()) {
    }
  });
}

arena::arena() {
  for (const auto* one : {&host, &vm, &container}) set_up_tcp(*one);
  attach_container(vm, container);
}

}  // namespace bench
