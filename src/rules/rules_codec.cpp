#include "rules/rules_codec.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rules/problem.hpp"
#include "rules/rule_reader.hpp"
#include "rules/rule_set.hpp"
#include "rules/value_reader.hpp"
#include "rules/yaml_tree.hpp"

namespace rules {
namespace {

constexpr std::size_t most_comparisons = 1'000'000;  // in the search for rules that never match

std::string_view without_mark(std::string_view text) {
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  return text;
}

// The list of rules, or nullptr if there is none: the file is empty, or a problem says why.
const yaml_node* find_list(const yaml_node& root, problem_list& problems) {
  if (root.what == yaml_node::kind::null) return nullptr;
  if (root.what != yaml_node::kind::map) {
    problems.add(root.at, "the file does not begin with rules:", "write rules: above the list");
    return nullptr;
  }
  for (const auto& key : root.keys)
    if (key.text != "rules" && key.is_text)
      problems.add(key.at, "unknown key " + shown(key.text), "the file has the single key rules");
  const auto* list = root.find("rules");
  if (list == nullptr || list->what == yaml_node::kind::null) return nullptr;
  if (list->what == yaml_node::kind::list) return list;
  problems.add(list->at, "rules is not a list", "begin each rule with a hyphen");
  return nullptr;
}

std::vector<placed_rule> read_list(const yaml_node& list, const known_names& known, problem_list& problems) {
  std::vector<placed_rule> placed;
  if (list.items.size() > most_rules) {
    problems.add(list.at, fmt::format("there are more than {} rules", most_rules), "use ranges and patterns");
    return placed;
  }
  placed.reserve(list.items.size());
  rule_reader reader(known, problems);
  for (const auto& item : list.items) {
    if (problems.is_full()) break;
    placed.push_back({reader.read_rule(item), item.at.line});
  }
  return placed;
}

// Each of them is compared with every container.
void check_loose(const rule_set& set, const yaml_node* list, problem_list& problems) {
  if (set.loose().size() <= most_loose) return;
  problems.add(list->items[set.loose()[most_loose]].at,
               fmt::format("more than {} rules can only be compared one by one", most_loose),
               "give each a port, or a pattern with letters in a row that few others have");
}

std::vector<problem> find_useless(const rule_set& set, const yaml_node* list, std::string_view text) {
  problem_list warnings(text);
  auto work = most_comparisons;
  for (std::size_t number = 0; number < set.rules().size() && !warnings.is_full(); ++number)
    if (const auto earlier = set.find_covering(number, work))
      warnings.add(list->items[number].at, fmt::format("rule {} never matches", number + 1),
                   fmt::format("rule {} on line {} matches all that it matches", *earlier + 1, set.line(*earlier)));
  return std::move(warnings).take();
}

}  // namespace

std::expected<parsed_rules, std::vector<problem>> parse_rules(std::string_view text, const known_names& known) {
  text = without_mark(text);
  problem_list problems(text);
  const auto root = parse_yaml(text, problems);
  const auto* list = root ? find_list(*root, problems) : nullptr;
  std::vector<placed_rule> placed;
  if (list != nullptr) placed = read_list(*list, known, problems);
  if (!problems.empty()) return std::unexpected(std::move(problems).take());
  auto set = std::make_shared<const rule_set>(std::move(placed));
  check_loose(*set, list, problems);
  if (!problems.empty()) return std::unexpected(std::move(problems).take());
  auto warnings = find_useless(*set, list, text);
  return parsed_rules{std::move(set), std::move(warnings)};
}

}  // namespace rules
