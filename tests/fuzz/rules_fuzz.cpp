// The rules file and the labels of containers: any bytes give a result. An accepted file has bounded, sound rules, each
// of which is written as a line that reads back as the same rule. A label narrows what was decided.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rules/decision.hpp"
#include "rules/rules_codec.hpp"

namespace {

constexpr std::array<std::string_view, 2> sources{"docker", "kubernetes"};
constexpr std::array<std::string_view, 2> peers{"host-switch", "wsl-proxy"};
constexpr rules::known_names known{sources, peers};

void require(bool holds) {
  if (!holds) std::abort();
}

void check_problems(const std::vector<rules::problem>& problems) {
  require(!problems.empty() && problems.size() <= rules::problem_list::most);
  for (const auto& p : problems) require(p.at.line > 0 && p.at.column > 0 && !p.text.empty());
}

void check_rule(const rules::rule& r) {
  const auto line = rules::to_yaml(r);
  const auto again = rules::parse_rules("rules: [" + line + "]", known);
  require(again && again->rules->rules().size() == 1 && again->rules->rules()[0] == r);
}

// The address and port of a rule or label are within bounds, and a label does not undo what was decided.
void check_decisions(const rules::rule_set& set, const rules::actions& wanted) {
  for (const auto port : std::array<std::uint16_t, 4>{1, 80, 8080, 65535}) {
    const rules::subject s{.source = "docker", .port = port, .name = "web-1", .image = "nginx:1"};
    const auto decided = rules::decide(set, s);
    require(decided == rules::decide(set, std::span(&s, 1)).front());
    const auto narrowed = rules::narrow(set, decided, wanted, s).result;
    require(narrowed.ignore || !decided.ignore);
    require(decided.host_port == 0 || narrowed.host_port == decided.host_port);
    if (!narrowed.ignore && decided.host_port == 0 && narrowed.host_port != 0) {
      auto there = s;
      there.port = narrowed.host_port;
      require(there.port == port || !rules::decide(set, there).ignore);
    }
    if (decided.peers)
      require(narrowed.peers && std::ranges::all_of(*narrowed.peers, [&](const std::string& name) {
                return std::ranges::find(*decided.peers, name) != decided.peers->end();
              }));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto label = rules::parse_label("guestagent.ports.80/tcp", text, known);
  if (!label) check_problems(label.error());
  const auto parsed = rules::parse_rules(text, known);
  if (!parsed) {
    check_problems(parsed.error());
    return 0;
  }
  for (const auto& r : parsed->rules->rules()) check_rule(r);
  check_decisions(*parsed->rules, label ? label->then : rules::actions{.host_port = std::uint16_t{8080}});
  return 0;
}
