// value_reader: reads the values of a rule's keys. What is wrong becomes a problem at the value's place, and no value.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/address.hpp"
#include "net/protocol.hpp"
#include "rules/conditions.hpp"
#include "rules/glob.hpp"
#include "rules/problem.hpp"
#include "rules/rule.hpp"
#include "rules/yaml_tree.hpp"

namespace rules {

// For messages: the text in quotes, readable and short.
[[nodiscard]] std::string shown(std::string_view text);

class value_reader {
 public:
  static constexpr std::size_t longest_list = 256;
  static constexpr std::size_t longest_note = 1024;  // bytes

  explicit value_reader(problem_list& problems) : problems_(problems) {}

  [[nodiscard]] std::optional<port_range> read_ports(const yaml_node& node);
  [[nodiscard]] std::optional<net::protocol> read_protocol(const yaml_node& node);
  [[nodiscard]] std::optional<host_port> read_host_port(const yaml_node& node);
  [[nodiscard]] std::optional<net::address> read_host_address(const yaml_node& node);
  [[nodiscard]] bool read_truth(const yaml_node& node);
  [[nodiscard]] std::string read_note(const yaml_node& node);

  // One value or a list of them, of which none is left out silently.
  [[nodiscard]] std::vector<std::string> read_names(const yaml_node& node, std::span<const std::string_view> known);
  [[nodiscard]] std::vector<address_pattern> read_addresses(const yaml_node& node);
  [[nodiscard]] std::vector<glob> read_globs(const yaml_node& node);
  [[nodiscard]] std::vector<label_pattern> read_labels(const yaml_node& node);

 private:
  [[nodiscard]] const std::string* text_of(const yaml_node& node);
  template <class T, class Read>
  std::vector<T> read_list(const yaml_node& node, Read read);
  [[nodiscard]] std::optional<glob> read_glob(const yaml_node& node, std::string_view text);
  [[nodiscard]] std::optional<port_range> read_range(const yaml_node& node, std::string_view text);

  problem_list& problems_;
};

}  // namespace rules
