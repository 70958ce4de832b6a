// The rules document: the agent's port rules at /v1/rules. Plain values; the agent fills them, guestagentctl shows
// them, document_codec has their JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rules_document {

struct rule {
  std::string text{};                    // one line of YAML, as in the file
  std::uint64_t line = 0;                // of the file; 0: the rule is built in
  std::optional<std::uint64_t> ports{};  // that it decides now; nullopt: not counted
  bool operator==(const rule&) const = default;
};

struct document {
  std::string file{};
  std::string trouble{};  // why the file is refused, and the rules are older; empty: they are the file's
  std::vector<std::string> warnings{};
  std::vector<rule> rules{};     // of the file, in their order
  std::vector<rule> built_in{};  // what flags decide; each note says how a rule of the file stands to it
  bool operator==(const document&) const = default;
};

}  // namespace rules_document
