// explain: answers "why is my port not there?" from a status document. Pure.
//
// A question is a port of the host or of the VM, or a name: of a container, a Service or a rule. The answer says which
// source claims it, which port rule decided, what each peer said, and what would have to change. Where a source cannot
// be read, the answer says so: nothing follows from its silence.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "protocols/status_document/document.hpp"

namespace guestagentctl {

struct question {
  std::optional<std::uint16_t> port{};
  std::string protocol{};  // empty: of any
  std::string name{};      // if there is no port: a name, an id, or the beginning of an id
};
// "8080", "53/udp"; all else is a name. Fails for a port that cannot be, such as 0/tcp or 53/icmp.
[[nodiscard]] base::result<question> parse_question(std::string_view text);

[[nodiscard]] std::string explain(const status_document::document& shown, const question& asked);

}  // namespace guestagentctl
