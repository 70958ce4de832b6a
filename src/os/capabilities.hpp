// capabilities: the rights of a program that is not quite root, see capabilities(7).
#pragma once

#include <cstdint>
#include <span>

#include "base/result.hpp"

namespace os {

struct capability {
  unsigned number;   // CAP_NET_ADMIN …
  const char* name;  // "CAP_NET_ADMIN"
};

// Whether the calling thread may use all of them now. The error names those that it may not use.
[[nodiscard]] base::result<> check_capabilities(std::span<const capability> needed);

// The same for the rights in `effective`, a bit each. Pure.
[[nodiscard]] base::result<> check_capabilities(std::span<const capability> needed, std::uint64_t effective);

}  // namespace os
