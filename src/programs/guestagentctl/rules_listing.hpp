// rules_listing: port rules for people: the agent's own, and the findings in a file. Pure.
#pragma once

#include <string>
#include <string_view>

#include "protocols/rules_document/document.hpp"

namespace guestagentctl {

// Each rule with the number of ports that it decides, the built-in ones last.
[[nodiscard]] std::string list_rules(const rules_document::document& shown);

struct checked_rules {
  std::string text;   // what is to be printed
  bool good = false;  // an agent would take the file; warnings do not count
};
// The findings in the text of a rules file: "rules.yaml:3:5: unknown key …", as compilers write them.
[[nodiscard]] checked_rules check_rules(std::string_view file, std::string_view text);

}  // namespace guestagentctl
