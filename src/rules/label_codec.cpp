#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "net/protocol.hpp"
#include "rules/problem.hpp"
#include "rules/rule_reader.hpp"
#include "rules/rules_codec.hpp"
#include "rules/yaml_tree.hpp"

namespace rules {
namespace {

// "8080/tcp", as engines write it.
std::optional<port_label> parse_port(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos || text.starts_with('0')) return std::nullopt;
  const auto port = base::parse_port(text.substr(0, slash));
  const auto protocol = net::parse_protocol(text.substr(slash + 1));
  if (!port || !protocol || protocol == net::protocol::sctp) return std::nullopt;
  return port_label{*protocol, *port, {}};
}

std::unexpected<std::vector<problem>> refuse(std::string text, std::string hint) {
  return std::unexpected(std::vector<problem>{{{}, std::move(text), std::move(hint)}});
}

// The value may leave out the braces of its map. Those that are put around it move its places by a column.
void move_back(std::vector<problem>& problems) {
  for (auto& p : problems)
    if (p.at.line == 1 && p.at.column > 1) --p.at.column;
}

}  // namespace

std::expected<port_label, std::vector<problem>> parse_label(std::string_view key, std::string_view value,
                                                            const known_names& known) {
  key.remove_prefix(port_label_prefix.size());
  auto label = parse_port(key);
  if (!label) return refuse("the key does not end with a port", "write it like guestagent.ports.8080/tcp");
  if (value.size() > longest_label) return refuse("the value is larger than 4 KiB", "");
  const bool bare = !base::trim(value).starts_with('{');
  const auto text = bare ? '{' + std::string(value) + "\n}" : std::string(value);  // a comment may end the value
  problem_list problems(text);
  const auto root = parse_yaml(text, problems);
  if (root && root->what == yaml_node::kind::map)
    label->then = rule_reader(known, problems).read_actions(*root, label->port);
  else if (root)
    problems.add({}, "the value is not a map", "write it like host-port: 8080");
  if (problems.empty()) return std::move(*label);
  auto found = std::move(problems).take();
  if (bare) move_back(found);
  return std::unexpected(std::move(found));
}

}  // namespace rules
