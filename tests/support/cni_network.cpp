#include "tests/support/cni_network.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fstream>
#include <stdexcept>

#include "tests/support/engine_programs.hpp"
#include "tests/support/unique_name.hpp"

namespace support {
namespace {

constexpr std::string_view nftables_chains =
    "table ip cni_hostport {\n chain hostports {}\n chain hostip_hostports {}\n"
    " chain prerouting { type nat hook prerouting priority dstnat; jump hostip_hostports; jump hostports; }\n"
    " chain output { type nat hook output priority -100; jump hostip_hostports; fib daddr type local jump hostports; "
    "}\n"
    " chain masquerading { type nat hook postrouting priority srcnat; }\n}\n";

bool by_plugin(portmap_backend backend) { return backend == portmap_backend::iptables || cni_plugins_are_named(); }

std::string to_json(const std::vector<published_port>& ports, std::string_view names) {
  std::vector<std::string> all;
  for (const auto& p : ports)
    all.push_back(fmt::format(fmt::runtime(names), p.host_port, p.container_port, p.protocol, p.host_ip));
  return fmt::format("[{}]", fmt::join(all, ","));
}

// Of the first address in a plugin's result.
std::string address_in(const std::string& result) {
  const auto begin = result.find("\"10.4.");
  if (begin == std::string::npos) throw std::runtime_error("no address: " + result);
  return result.substr(begin + 1, result.find('/', begin) - begin - 1);
}

std::string nftables_script(const std::string& container, const std::string& address,
                            const std::vector<published_port>& ports) {
  std::string script(nftables_chains);
  for (const auto& p : ports)
    script += fmt::format("add rule ip cni_hostport {}{} dport {} dnat to {}:{} comment \"{}\"\n",
                          p.host_ip.empty() ? "hostports " : fmt::format("hostip_hostports ip daddr {} ", p.host_ip),
                          p.protocol, p.host_port, address, p.container_port, container);
  for (const auto& from : {address, std::string("127.0.0.1")})
    script += fmt::format("add rule ip cni_hostport masquerading ip saddr {} ip daddr {} masquerade comment \"{}\"\n",
                          from, address, container);
  return script;
}

}  // namespace

std::string to_cni_json(const std::vector<published_port>& ports) {
  return to_json(ports, R"({{"hostPort":{},"containerPort":{},"protocol":"{}","hostIP":"{}"}})");
}

std::string to_nerdctl_json(const std::vector<published_port>& ports) {
  return to_json(ports, R"({{"HostPort":{},"ContainerPort":{},"Protocol":"{}","HostIP":"{}"}})");
}

cni_network::cni_network(child_options place, std::filesystem::path directory, unsigned number, bool dual_stack)
    : place_(std::move(place)), directory_(std::move(directory)), number_(number), dual_stack_(dual_stack) {
  std::filesystem::create_directories(directory_);
}

std::string cni_network::bridge_config() const {
  return fmt::format(
      R"({{"cniVersion":"0.4.0","name":"{}","type":"bridge","bridge":"nerdctl{}","isGateway":true,"ipMasq":true,)"
      R"("hairpinMode":true,"ipam":{{"type":"host-local","ranges":[[{{"subnet":"10.4.{}.0/24"}}]{}],)"
      R"("routes":[{{"dst":"0.0.0.0/0"}}],"dataDir":"{}"}}}})",
      name(), number_, number_, dual_stack_ ? fmt::format(R"(,[{{"subnet":"fd00:4:{}::/64"}}])", number_) : "",
      (directory_ / "ipam").string());
}

std::string cni_network::portmap_config(const std::vector<published_port>& ports, const std::string& before,
                                        portmap_backend backend) const {
  return fmt::format(R"({{"cniVersion":"0.4.0","name":"{}","type":"portmap","capabilities":{{"portMappings":true}},)"
                     R"("backend":"{}","runtimeConfig":{{"portMappings":{}}}{}{}}})",
                     name(), backend == portmap_backend::iptables ? "iptables" : "nftables", to_cni_json(ports),
                     before.empty() ? "" : R"(,"prevResult":)", before);
}

std::string cni_network::call(const char* command, const char* plugin, const std::string& container,
                              const std::string& netns, const std::string& config) const {
  const auto input = directory_ / unique_name("config");
  std::ofstream(input) << config;
  auto options = place_;
  options.argv = {cni_plugins() / plugin};
  options.stdin_file = input;
  for (const auto& [name, value] : {std::pair<const char*, std::string>{"COMMAND", command},
                                    {"CONTAINERID", container},
                                    {"NETNS", netns},
                                    {"IFNAME", fmt::format("eth{}", number_)},
                                    {"PATH", cni_plugins()}})
    options.environment.push_back(fmt::format("CNI_{}={}", name, value));
  auto output = run_or_throw(std::move(options), std::chrono::seconds(60));
  std::filesystem::remove(input);
  return output;
}

void cni_network::nft(const std::string& script) const {
  const auto file = directory_ / unique_name("nft");
  std::ofstream(file) << script;
  auto options = place_;
  options.argv = {"nft", "-f", file};
  run_or_throw(std::move(options));
  std::filesystem::remove(file);
}

void cni_network::attach(const std::string& container, const std::string& netns,
                         const std::vector<published_port>& ports, portmap_backend backend) const {
  const auto bridged = call("ADD", "bridge", container, netns, bridge_config());
  if (ports.empty()) return;
  if (by_plugin(backend)) {
    static_cast<void>(call("ADD", "portmap", container, netns, portmap_config(ports, bridged, backend)));
    return;
  }
  nft(nftables_script(container, address_in(bridged), ports));
  auto options = place_;
  options.argv = {"sysctl", "-w", fmt::format("net.ipv4.conf.nerdctl{}.route_localnet=1", number_)};
  run_or_throw(std::move(options));
}

void cni_network::detach(const std::string& container, const std::string& netns,
                         const std::vector<published_port>& ports, portmap_backend backend) const {
  if (!ports.empty() && by_plugin(backend))
    static_cast<void>(call("DEL", "portmap", container, netns, portmap_config(ports, "", backend)));
  else if (!ports.empty())
    nft("flush chain ip cni_hostport hostports\nflush chain ip cni_hostport hostip_hostports\n"
        "flush chain ip cni_hostport masquerading\n");
  static_cast<void>(call("DEL", "bridge", container, netns, bridge_config()));
}

}  // namespace support
