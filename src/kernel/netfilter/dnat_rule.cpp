#include "kernel/netfilter/dnat_rule.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.hpp"
#include "kernel/netfilter/iptables_save.hpp"
#include "net/address.hpp"
#include "net/protocol.hpp"

namespace netfilter {
namespace {

struct option_value {
  std::size_t at = 0;
  bool negated = false;
  std::string_view value;
};

std::optional<option_value> find_option(const rule_spec& r, std::string_view name) {
  for (std::size_t i = 0; i + 1 < r.words.size(); ++i)
    if (r.words[i] == name) return option_value{i, i > 0 && r.words[i - 1] == "!", r.words[i + 1]};
  return std::nullopt;
}

std::string_view plain_value(const rule_spec& r, std::string_view name) {
  const auto found = find_option(r, name);
  return found && !found->negated ? found->value : std::string_view{};
}

// "127.0.0.1/32" and "127.0.0.1". A wider network is not an address.
std::optional<net::address> one_address(std::string_view text) {
  const auto slash = text.find('/');
  if (slash != std::string_view::npos && text.substr(slash) != "/32") return std::nullopt;
  return net::address::parse(text.substr(0, slash));
}

std::optional<std::uint16_t> port_of_target(std::string_view target, std::uint16_t port_without) {
  const auto colon = target.rfind(':');
  return colon == std::string_view::npos ? std::optional(port_without) : base::parse_port(target.substr(colon + 1));
}

void erase_option(rule_spec& r, std::string_view name) {
  const auto found = find_option(r, name);
  if (!found) return;
  const auto first = r.words.begin() + static_cast<std::ptrdiff_t>(found->at);
  r.words.erase(first, first + 2);
}

}  // namespace

std::optional<dnat> read_dnat(const rule_spec& r) {
  if (jump_of(r) != "DNAT") return std::nullopt;
  const auto protocol = net::parse_protocol(plain_value(r, "-p"));
  const auto port = base::parse_port(plain_value(r, "--dport"));
  const auto target = plain_value(r, "--to-destination");
  if (!protocol || !port || target.empty()) return std::nullopt;
  const auto target_port = port_of_target(target, *port);
  if (!target_port) return std::nullopt;
  dnat d{*protocol, std::nullopt, *port, std::string(target), *target_port};
  if (!find_option(r, "-d")) return d;
  d.destination = one_address(plain_value(r, "-d"));
  return d.destination ? std::optional(d) : std::nullopt;
}

std::string_view comment_of(const rule_spec& r) { return plain_value(r, "--comment"); }

std::string_view jump_of(const rule_spec& r) {
  const auto jump = plain_value(r, "-j");
  return jump.empty() ? plain_value(r, "-g") : jump;
}

rule_spec copied(const rule_spec& r, const std::string& chain, const std::string& comment) {
  rule_spec made = r;
  made.chain = chain;
  erase_option(made, "-d");
  if (find_option(made, "--comment")) {
    erase_option(made, "--comment");
    const auto match = std::ranges::adjacent_find(
        made.words, [](const auto& a, const auto& b) { return a == "-m" && b == "comment"; });
    if (match != made.words.end()) made.words.erase(match, match + 2);
  }
  const auto port = std::ranges::find(made.words, "--dport");
  if (plain_value(made, "-p") == "tcp" && port != made.words.end() && !find_option(made, new_connections[0]))
    made.words.insert(port + 2, new_connections.begin(), new_connections.end());
  const auto jump = std::ranges::find(made.words, "-j");
  made.words.insert(jump, {"-m", "comment", "--comment", comment});
  return made;
}

}  // namespace netfilter
