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

// Which the calling thread may use now: bit n is capability number n.
[[nodiscard]] base::result<std::uint64_t> effective_capabilities();

// Gives up all capabilities but those in `kept`, for good: this thread, the threads and the programs that it starts
// have none of the others. Sets no_new_privs, so that no program brings them back.
[[nodiscard]] base::result<> keep_capabilities(std::uint64_t kept);

}  // namespace os
