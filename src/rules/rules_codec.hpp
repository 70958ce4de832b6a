// rules_codec: the rules file, the text of one rule, and the labels of containers that are rules for one port. Pure and
// total: any bytes lead to a result. docs/rules.md is the reference of the language.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/protocol.hpp"
#include "rules/problem.hpp"
#include "rules/rule.hpp"
#include "rules/rule_set.hpp"

namespace rules {

// The names that `source` and `peers` may have.
struct known_names {
  std::span<const std::string_view> sources, peers;
};

struct parsed_rules {
  std::shared_ptr<const rule_set> rules;
  // Rules that can never match, as far as that is certain; 20 at most. Where it would take long to find out, not all
  // are found.
  std::vector<problem> warnings;
};

inline constexpr std::size_t most_rules = 10'000;
inline constexpr std::size_t most_loose = 500;      // rules that no index finds, see rule_index.hpp
inline constexpr std::size_t longest_label = 4096;  // bytes of the value

// Refuses the text as a whole, with its first 20 errors. An empty text is an empty set.
[[nodiscard]] std::expected<parsed_rules, std::vector<problem>> parse_rules(std::string_view text,
                                                                            const known_names& known);

// One line that stands in the list of a rules file, and is read there as an equal rule: {port: 80, name: "web-*"}.
[[nodiscard]] std::string to_yaml(const rule& r);  // NOLINT(dead-names): for the agent's status

// What a label `guestagent.ports.8080/tcp` with the value `host-port: 80` asks for. The port is that of the subject.
struct port_label {
  net::protocol protocol = net::protocol::tcp;
  std::uint16_t port = 0;
  actions then;

  bool operator==(const port_label&) const = default;
};

inline constexpr std::string_view port_label_prefix = "guestagent.ports.";

// For keys with that prefix. Places count from the beginning of the value; an error in the key is at its beginning.
[[nodiscard]] std::expected<port_label, std::vector<problem>> parse_label(  // NOLINT(dead-names): for the sources
    std::string_view key, std::string_view value, const known_names& known);

}  // namespace rules
