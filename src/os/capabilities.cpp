#include "os/capabilities.hpp"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <system_error>

#include "base/result.hpp"

namespace os {

base::result<> check_capabilities(std::span<const capability> needed, std::uint64_t effective) {
  std::string missing;
  for (const auto& one : needed)
    if ((effective >> one.number & 1U) == 0) missing += (missing.empty() ? "" : " and ") + std::string(one.name);
  if (missing.empty()) return {};
  return base::fail(std::errc::operation_not_permitted, "it needs " + missing);
}

base::result<> check_capabilities(std::span<const capability> needed) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return base::fail_errno("capget");
  return check_capabilities(needed, std::uint64_t{data[1].effective} << 32U | data[0].effective);
}

}  // namespace os
