#include "programs/guestagentctl/rules_listing.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.hpp"
#include "ports/rule_names.hpp"
#include "programs/guestagentctl/text_table.hpp"
#include "protocols/rules_document/document.hpp"
#include "rules/problem.hpp"
#include "rules/rules_codec.hpp"

namespace guestagentctl {
namespace {

constexpr std::size_t longest_rule = 2'000;

void add_rules(text_table& table, const std::vector<rules_document::rule>& rules, bool built_in) {
  std::size_t number = 0;
  for (const auto& r : rules) {
    ++number;
    table.add({built_in ? "-" : std::to_string(number), built_in ? "built in" : fmt::format("line {}", r.line),
               r.ports ? std::to_string(*r.ports) : "-", base::printable(r.text, longest_rule)});
  }
}

std::string to_line(std::string_view file, const rules::problem& p, std::string_view kind) {
  const auto hint = p.hint.empty() ? "" : fmt::format(" ({})", p.hint);
  return fmt::format("{}:{}:{}: {}{}{}\n", base::printable(file), p.at.line, p.at.column, kind,
                     base::printable(p.text, longest_rule), base::printable(hint, longest_rule));
}

}  // namespace

std::string list_rules(const rules_document::document& shown) {
  std::string text = fmt::format("rules of {}: {}\n", base::printable(shown.file, longest_rule), shown.rules.size());
  if (!shown.trouble.empty())
    text +=
        fmt::format("the file is refused, these rules are older: {}\n", base::printable(shown.trouble, longest_rule));
  for (const auto& w : shown.warnings) text += fmt::format("warning: {}\n", base::printable(w, longest_rule));
  text_table table({"RULE", "FROM", "PORTS", "TEXT"});
  add_rules(table, shown.rules, false);
  add_rules(table, shown.built_in, true);
  return text + "\n" + table.render();
}

checked_rules check_rules(std::string_view file, std::string_view text) {
  const auto parsed = rules::parse_rules(text, ports::rule_names());
  checked_rules made{.text = {}, .good = parsed.has_value()};
  if (parsed) {
    for (const auto& w : parsed->warnings) made.text += to_line(file, w, "warning: ");
    made.text += fmt::format("{}: {} rules\n", base::printable(file), parsed->rules->rules().size());
  } else {
    for (const auto& p : parsed.error()) made.text += to_line(file, p, "");
  }
  return made;
}

}  // namespace guestagentctl
