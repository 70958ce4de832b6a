#include "tests/integration/loopback_lab.hpp"

#include <fmt/format.h>
#include <stdlib.h>

#include <fstream>
#include <stdexcept>

#include "base/text.hpp"
#include "tests/support/eventually.hpp"

namespace support {
namespace {

void add_container(const netns& rd, const netns& container, const std::string& port, const std::string& address) {
  rd.ip({"link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", container.name()});
  rd.ip({"link", "set", port, "master", "docker0", "up"});
  container.ip({"address", "add", address + "/16", "dev", "eth0"});
  container.ip({"link", "set", "eth0", "up"});
  container.ip({"route", "add", "default", "via", "172.17.0.1"});
}

}  // namespace

nat_engine::nat_engine(const netns& where, netfilter::nat_variant variant) : where_(where), variant_(variant) {}

std::string nat_engine::program(const std::string& suffix) const {
  return fmt::format("iptables-{}{}", netfilter::to_string(variant_), suffix);
}

void nat_engine::iptables(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), {program(), "--wait", "-t", "nat"});
  run_or_throw({.argv = std::move(arguments), .net_namespace = where_.path()});
}

void nat_engine::start() {
  restore(
      ":DOCKER - [0:0]\n"
      "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n"
      "-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER\n"
      "-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\n"
      "-A DOCKER -i docker0 -j RETURN\n");
}

void nat_engine::restore(const std::string& lines) const {
  std::string file = "/tmp/guestagent-rules-XXXXXX";
  base::unique_fd fd(::mkstemp(file.data()));
  std::ofstream(file) << "*nat\n" << lines << "COMMIT\n";
  const auto done =
      run_command({.argv = {program("-restore"), "--noflush"}, .stdin_file = file, .net_namespace = where_.path()});
  ::unlink(file.c_str());
  if (done.exit_code != 0) throw std::runtime_error(done.text);
}

void nat_engine::publish(const std::string& address, int port, const std::string& target, const std::string& protocol) {
  iptables({"-A", "DOCKER", "-p", protocol, "-d", address, "--dport", std::to_string(port), "-j", "DNAT",
            "--to-destination", target, "!", "-i", "docker0"});
}

void nat_engine::unpublish(const std::string& address, int port, const std::string& target,
                           const std::string& protocol) {
  iptables({"-D", "DOCKER", "-p", protocol, "-d", address, "--dport", std::to_string(port), "-j", "DNAT",
            "--to-destination", target, "!", "-i", "docker0"});
}

std::vector<std::string> nat_engine::rules(const std::string& chain) const {
  const auto text = run_or_throw({.argv = {program("-save"), "-t", "nat"}, .net_namespace = where_.path()});
  std::vector<std::string> lines;
  for (const auto line : base::split(text, '\n'))
    if (line.starts_with("-A " + chain)) lines.emplace_back(line);
  return lines;
}

loopback_lab::loopback_lab(netfilter::nat_variant variant, bool with_tap) : engine(rd, variant) {
  rd.run([] { std::ofstream("/proc/sys/net/ipv4/ip_forward") << "1"; });
  if (with_tap) connect_tap();
  connect_veth();
  rd.ip({"link", "add", "docker0", "type", "bridge"});
  rd.ip({"address", "add", "172.17.0.1/16", "dev", "docker0"});
  rd.ip({"link", "set", "docker0", "up"});
  add_container(rd, one, "port1", "172.17.0.2");
  add_container(rd, two, "port2", "172.17.0.3");
}

void loopback_lab::connect_veth() { connect({&rd, "veth0", "192.168.143.1/24"}, {&wsl, "eth0", "192.168.143.2/24"}); }

void loopback_lab::connect_tap() { connect({&rd, "tap0", "192.168.127.2/24"}, {&host, "eth0", "192.168.127.1/24"}); }

void loopback_lab::serve(const netns& where, const std::string& name, const std::vector<std::string>& ports) {
  std::vector<std::string> argv{
      "unshare", "--uts", "sh", "-c", "hostname $0 && exec \"$@\"", name, GUESTAGENT_ECHO_SERVER};
  argv.insert(argv.end(), ports.begin(), ports.end());
  const auto before = listening_sockets(where).size();
  servers_.emplace_back(child_options{.argv = argv, .net_namespace = where.path()});
  if (!eventually(std::chrono::seconds(5), [&] { return listening_sockets(where).size() > before; }))
    throw std::runtime_error("no server " + name);
}

}  // namespace support
