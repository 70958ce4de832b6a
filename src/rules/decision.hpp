// decision: what becomes of a published port by the administrator's rules, and by a container's own labels within them.
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/shared_text.hpp"
#include "net/address.hpp"
#include "rules/conditions.hpp"
#include "rules/rule.hpp"
#include "rules/rule_set.hpp"

namespace rules {

struct decision {
  bool ignore = false;
  std::optional<net::address> host_address{};       // nullopt: as published
  std::uint16_t host_port = 0;                      // 0: as published
  std::optional<std::vector<std::string>> peers{};  // nullopt: all
  std::optional<std::size_t> rule{};                // the number of the one that decided, from 0; nullopt: none did
  base::shared_text reason{};                       // for people; empty if nothing decided

  bool operator==(const decision&) const = default;
};

// By the first rule that matches. A port that its offset would move out of 1 to 65535 is ignored, and the reason says
// so. So is one whose rule asks for a label, if that label may be among its missing ones.
[[nodiscard]] decision decide(const rule_set& set, const subject& s);
// The same for many, in their order: faster where rules look for patterns in names, and owners have several ports.
[[nodiscard]] std::vector<decision> decide(const rule_set& set, std::span<const subject> subjects);

struct narrowed {
  decision result;
  std::vector<std::string> refusals;  // why a label's action does not apply, for people
};
// Applies a container's own actions to what the rules decided for its port `s`. They only narrow it:
//   - an ignored port stays ignored;
//   - a wildcard address may become any address, any other may only be repeated;
//   - peers are those that both name. With none left the port is ignored;
//   - the host port is theirs unless the rule sets one, and unless the rules `set` ignore, move or limit a port of the
//     owner that is published at that number: a label reaches no port of the host that publishing does not reach.
// An action that would do more is refused, and the others apply.
[[nodiscard]] narrowed narrow(const rule_set& set, decision decided, const actions& wanted, const subject& s);

}  // namespace rules
