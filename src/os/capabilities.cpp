#include "os/capabilities.hpp"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <system_error>

#include "base/result.hpp"

namespace os {
namespace {

using sets = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

__user_cap_header_struct header_of_this_thread() { return {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0}; }

base::result<sets> read_sets() {
  auto header = header_of_this_thread();
  sets made{};
  if (::syscall(SYS_capget, &header, made.data()) != 0) return base::fail_errno("capget");
  return made;
}

// Only a thread with CAP_SETPCAP may do it. For another one no_new_privs has the same effect: no program that it starts
// has a capability that it has not.
void shrink_bounding_set(std::uint64_t kept) {
  for (unsigned number = 0; ::prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; ++number)
    if ((kept >> number & 1U) == 0 && ::prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0) return;
}

}  // namespace

base::result<> check_capabilities(std::span<const capability> needed, std::uint64_t effective) {
  std::string missing;
  for (const auto& one : needed)
    if ((effective >> one.number & 1U) == 0) missing += (missing.empty() ? "" : " and ") + std::string(one.name);
  if (missing.empty()) return {};
  return base::fail(std::errc::operation_not_permitted, "it needs " + missing);
}

base::result<> check_capabilities(std::span<const capability> needed) {
  const auto effective = effective_capabilities();
  if (!effective) return std::unexpected(effective.error());
  return check_capabilities(needed, *effective);
}

base::result<std::uint64_t> effective_capabilities() {
  const auto all = read_sets();
  if (!all) return std::unexpected(all.error());
  return std::uint64_t{(*all)[1].effective} << 32U | (*all)[0].effective;
}

// The kernel takes from the ambient set what leaves the other two.
base::result<> keep_capabilities(std::uint64_t kept) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return base::fail_errno("give up new privileges");
  auto all = read_sets();
  if (!all) return std::unexpected(all.error());
  shrink_bounding_set(kept);
  for (std::size_t word = 0; word < all->size(); ++word) {
    auto& set = (*all)[word];
    const auto part = static_cast<std::uint32_t>(kept >> 32 * word);
    set.permitted &= part;
    set.effective &= part;
    set.inheritable &= part;
  }
  auto header = header_of_this_thread();
  if (::syscall(SYS_capset, &header, all->data()) != 0) return base::fail_errno("give up capabilities");
  return {};
}

}  // namespace os
