#include "rules/value_reader.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "net/address.hpp"
#include "net/protocol.hpp"
#include "rules/conditions.hpp"
#include "rules/glob.hpp"
#include "rules/nearest_name.hpp"
#include "rules/problem.hpp"
#include "rules/rule.hpp"
#include "rules/yaml_tree.hpp"

namespace rules {
namespace {

constexpr std::string_view wildcard_word = "wildcard", loopback_word = "loopback";

// A leading zero would be octal to other readers of YAML.
std::optional<std::uint16_t> port_of(std::string_view text) {
  return text.starts_with('0') ? std::nullopt : base::parse_port(text);
}

std::string name_hint(std::string_view wrong, std::span<const std::string_view> known) {
  const auto nearest = nearest_name(wrong, known);
  if (!nearest.empty()) return fmt::format("did you mean {}?", nearest);
  return fmt::format("there are {}", fmt::join(known, ", "));
}

}  // namespace

std::string shown(std::string_view text) { return '"' + base::printable(text, 60) + '"'; }

const std::string* value_reader::text_of(const yaml_node& node) {
  if (node.what == yaml_node::kind::scalar && !node.text.empty()) return &node.text;
  if (node.what == yaml_node::kind::scalar || node.what == yaml_node::kind::null)
    problems_.add(node.at, "the value is empty", "give a value, or remove the key");
  else
    problems_.add(node.at, "the value is a list or a map", "give a single value");
  return nullptr;
}

template <class T, class Read>
std::vector<T> value_reader::read_list(const yaml_node& node, Read read) {
  std::vector<T> values;
  const auto add = [&](const yaml_node& one) {
    const auto* text = text_of(one);
    if (text == nullptr) return;
    if (std::optional<T> value = read(one, *text)) values.push_back(std::move(*value));
  };
  if (node.what != yaml_node::kind::list) {
    add(node);
  } else if (node.items.empty()) {
    problems_.add(node.at, "the list is empty, so it matches nothing", "remove the key");
  } else if (node.items.size() > longest_list) {
    problems_.add(node.at, fmt::format("the list has more than {} values", longest_list),
                  "use a pattern, or two rules");
  } else {
    std::ranges::for_each(node.items, add);
  }
  return values;
}

std::optional<port_range> value_reader::read_range(const yaml_node& node, std::string_view text) {
  const auto dash = text.find('-');
  const auto first = port_of(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : port_of(text.substr(dash + 1));
  if (!first || !last) {
    problems_.add(node.at, shown(text) + " is neither a port nor a range of ports",
                  "write a number from 1 to 65535, or two like 8000-8099");
    return std::nullopt;
  }
  if (*last < *first) {
    problems_.add(node.at, "the range ends before it begins", fmt::format("write {}-{}", *last, *first));
    return std::nullopt;
  }
  return port_range{*first, *last};
}

std::optional<port_range> value_reader::read_ports(const yaml_node& node) {
  const auto* text = text_of(node);
  return text == nullptr ? std::nullopt : read_range(node, *text);
}

std::optional<net::protocol> value_reader::read_protocol(const yaml_node& node) {
  const auto* text = text_of(node);
  if (text == nullptr) return std::nullopt;
  const auto protocol = net::parse_protocol(*text);
  if (protocol && protocol != net::protocol::sctp) return protocol;
  if (protocol)
    problems_.add(node.at, "sctp is never forwarded", "write tcp or udp");
  else
    problems_.add(node.at, shown(*text) + " is not a protocol", "write tcp or udp, or remove the key to mean both");
  return std::nullopt;
}

std::optional<host_port> value_reader::read_host_port(const yaml_node& node) {
  const auto* text = text_of(node);
  if (text == nullptr) return std::nullopt;
  const bool up = text->front() == '+';
  if (!up && text->front() != '-') {
    const auto range = read_range(node, *text);
    if (!range) return std::nullopt;
    return range->size() == 1 ? host_port(range->first) : host_port(*range);
  }
  const auto by = port_of(std::string_view(*text).substr(1));
  if (by) return port_offset{up ? *by : -*by};
  problems_.add(node.at, shown(*text) + " is not an offset", "write one like +1000 or -1000");
  return std::nullopt;
}

std::optional<net::address> value_reader::read_host_address(const yaml_node& node) {
  const auto* text = text_of(node);
  if (text == nullptr) return std::nullopt;
  if (*text == wildcard_word) return net::address::any_v4();
  if (*text == loopback_word) return net::address::loopback_v4();
  const auto address = net::address::parse(*text);
  if (!address)
    problems_.add(node.at, shown(*text) + " is not an address", "write an IP address, wildcard or loopback");
  return address;
}

bool value_reader::read_truth(const yaml_node& node) {
  const auto* text = text_of(node);
  if (text == nullptr) return false;
  if (*text != "true" && *text != "false")
    problems_.add(node.at, shown(*text) + " is neither true nor false", "write true, or remove the key");
  return *text == "true";
}

std::string value_reader::read_note(const yaml_node& node) {
  const auto* text = text_of(node);
  if (text == nullptr) return {};
  if (text->size() > longest_note)
    problems_.add(node.at, fmt::format("the note is longer than {} bytes", longest_note));
  return *text;
}

std::vector<std::string> value_reader::read_names(const yaml_node& node, std::span<const std::string_view> known) {
  return read_list<std::string>(node, [&](const yaml_node& one, const std::string& text) {
    const bool is_known = std::ranges::find(known, text) != known.end();
    if (!is_known) problems_.add(one.at, shown(text) + " is not known here", name_hint(text, known));
    return is_known ? std::optional(text) : std::nullopt;
  });
}

std::vector<address_pattern> value_reader::read_addresses(const yaml_node& node) {
  return read_list<address_pattern>(node, [&](const yaml_node& one, const std::string& text) {
    using kind = address_pattern::kind;
    if (text == wildcard_word) return std::optional(address_pattern{kind::wildcard});
    if (text == loopback_word) return std::optional(address_pattern{kind::loopback});
    const auto address = net::address::parse(text);
    if (address) return std::optional(address_pattern{kind::exact, *address});
    problems_.add(one.at, shown(text) + " is not an address", "write an IP address, wildcard or loopback");
    return std::optional<address_pattern>();
  });
}

std::optional<glob> value_reader::read_glob(const yaml_node& node, std::string_view text) {
  auto pattern = glob::parse(text);
  if (pattern) return std::move(*pattern);
  problems_.add(node.at, fmt::format("the pattern {} {}", shown(text), pattern.error().message()),
                "write [*], [?] or [[] for the character itself");
  return std::nullopt;
}

std::vector<glob> value_reader::read_globs(const yaml_node& node) {
  return read_list<glob>(node, [&](const yaml_node& one, const std::string& text) { return read_glob(one, text); });
}

std::vector<label_pattern> value_reader::read_labels(const yaml_node& node) {
  return read_list<label_pattern>(node, [&](const yaml_node& one, const std::string& text) {
    const auto equals = text.find('=');
    label_pattern made{text.substr(0, equals)};
    if (made.key.empty() || made.key.size() > glob::longest || equals + 1 == text.size()) {
      problems_.add(one.at, shown(text) + " is neither a label nor a label and its value",
                    "write a key, or key=value with a pattern for the value");
      return std::optional<label_pattern>();
    }
    if (equals == std::string::npos) return std::optional(std::move(made));
    made.value = read_glob(one, std::string_view(text).substr(equals + 1));
    return made.value ? std::optional(std::move(made)) : std::nullopt;
  });
}

}  // namespace rules
