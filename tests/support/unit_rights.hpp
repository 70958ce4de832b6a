// unit_rights: the rights of a program that root starts through a unit of packaging/systemd: the capabilities of its
// CapabilityBoundingSet, and NoNewPrivileges. Tests start programs with only these, so that a missing right shows here
// and not on a user's machine.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace support {

struct unit_rights {
  std::uint64_t capabilities = 0;  // bit n: capability number n
  bool no_new_privileges = false;

  [[nodiscard]] bool has(unsigned capability) const { return (capabilities >> capability & 1) != 0; }
  // Throws std::invalid_argument if the unit does not have it.
  [[nodiscard]] unit_rights without(unsigned capability) const;
  // In a child between fork and exec: system calls only. False: the kernel refused.
  [[nodiscard]] bool apply() const;
};

// "CAP_NET_ADMIN"; empty for a number that has no name here.
[[nodiscard]] std::string_view name_of_capability(unsigned number);
// Throws std::runtime_error if the text has no bounding set, or names a capability that does not exist.
[[nodiscard]] unit_rights parse_unit_rights(std::string_view unit_file);
// Of packaging/systemd/<unit>.service; throws if there is none.
[[nodiscard]] unit_rights rights_of_unit(const std::string& unit);

// What a thread holds, as its status in /proc shows it.
struct held_rights {
  std::uint64_t permitted, effective, inheritable, ambient, bounding;
  bool no_new_privileges;
  bool filtered;  // its system calls, by seccomp
};
// The main thread is the first. Throws std::runtime_error if the process has ended.
[[nodiscard]] std::vector<held_rights> rights_of_threads(pid_t process);

// Whether the programs under test filter their calls: those of a build with AddressSanitizer or ThreadSanitizer do not.
[[nodiscard]] bool programs_filter_calls();

}  // namespace support
