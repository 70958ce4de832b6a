#include "tests/soak/expectation.hpp"

#include "base/text.hpp"
#include "json/json.hpp"

namespace soak {
namespace {

// Loopback stays loopback, a wildcard is one; any other address of the VM is none of the host's.
net::address on_host(const net::address& published) {
  if (published.is_unspecified()) return net::address::any_v4();
  return net::address::loopback_v4();
}

void add_bindings(std::string_view container_port, const json::value& bindings, running_container& to) {
  const auto protocol = net::parse_protocol(container_port.substr(container_port.find('/') + 1));
  if (!protocol || !bindings.is_array()) return;  // exposed, and not published
  for (const auto& one : bindings.get_array()) {
    const auto address = net::address::parse(json::find_string(one, "HostIp").value_or("0.0.0.0"));
    const auto port = base::parse_port(json::find_string(one, "HostPort").value_or(""));
    if (address && port) to.offers.push_back({{*protocol, *address, *port}, to.name, to.name, !to.is_paused});
  }
}

}  // namespace

std::vector<offer> offers_of(const std::vector<port_run>& runs, const std::string& owner, const std::string& answerer,
                             bool answers) {
  std::vector<offer> all;
  for (const auto& run : runs)
    for (unsigned i = 0; i < run.count; ++i)
      all.push_back({{run.protocol, net::address::parse(run.address).value_or(net::address::any_v4()),
                      static_cast<std::uint16_t>(run.number + i)},
                     owner,
                     answerer,
                     answers});
  return all;
}

std::optional<running_container> parse_inspected(std::string_view line) {
  const auto words = base::split(line, ' ');
  if (words.size() != 4 || !words[0].starts_with('/')) return std::nullopt;
  running_container made{.name = std::string(words[0].substr(1)),
                         .is_paused = words[1] == "paused",
                         .uses_host_network = words[2] == "host"};
  const auto ports = json::parse(words[3]);
  if (!ports) return std::nullopt;
  if (ports->is_object())
    for (const auto& one : ports->get_object()) add_bindings(one.key(), one.value(), made);
  return made;
}

std::set<std::string> running_tasks(std::string_view table) {
  std::set<std::string> names;
  for (const auto line : base::split(table, '\n'))
    if (base::trim(line).ends_with(" RUNNING")) names.emplace(line.substr(0, line.find(' ')));
  return names;
}

exposures expect(const std::vector<offer>& offers, const std::vector<port_rule>& rules) {
  exposures all;
  for (const auto& one : offers) {
    const net::listen_key inside{one.at.protocol, on_host(one.at.address), one.at.port};
    const auto action = decide(rules, one.at.port, one.owner);
    if (action == rule_action::ignore) continue;
    exposure made{.inside = inside, .host = inside, .wsl = inside, .answerer = one.answerer, .answers = one.answers};
    if (action == rule_action::move) made.host->port = static_cast<std::uint16_t>(inside.port + moved_by);
    if (action == rule_action::loopback) made.host->address = net::address::loopback_v4();
    if (action == rule_action::wsl_only) made.host.reset();
    if (action == rule_action::host_only) made.wsl.reset();
    all.insert_or_assign(inside, made);
  }
  return all;
}

void add_api_port(exposures& all, std::uint16_t port) {
  const net::listen_key at{net::protocol::tcp, net::address::loopback_v4(), port};
  all.insert_or_assign(at, exposure{.inside = at, .host = {}, .wsl = at, .answerer = {}, .answers = false});
}

}  // namespace soak
