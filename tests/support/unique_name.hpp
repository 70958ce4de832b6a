// unique_name: names for objects that a test makes outside its process (namespaces, directories, control groups). The
// name has the pid of its maker, which distinguishes leftovers of a killed run from objects in use.
#pragma once

#include <string>
#include <string_view>

namespace support {

inline constexpr std::string_view name_prefix = "guestagent-";

// "guestagent-<pid>-<counter>-<purpose>"; never the same twice in this process.
[[nodiscard]] std::string unique_name(std::string_view purpose);

// True for a unique_name whose maker no longer runs; false for every other text.
[[nodiscard]] bool is_leftover(std::string_view name);

}  // namespace support
