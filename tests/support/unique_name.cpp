#include "tests/support/unique_name.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "base/text.hpp"

namespace support {

std::string unique_name(std::string_view purpose) {
  static std::atomic<unsigned> counter = 0;
  return fmt::format("{}{}-{}-{}", name_prefix, ::getpid(), ++counter, purpose);
}

bool is_leftover(std::string_view name) {
  if (!name.starts_with(name_prefix)) return false;
  const auto rest = name.substr(name_prefix.size());
  const auto pid = base::parse_number<pid_t>(rest.substr(0, rest.find('-')));
  return pid && *pid > 0 && ::kill(*pid, 0) != 0 && errno == ESRCH;
}

}  // namespace support
