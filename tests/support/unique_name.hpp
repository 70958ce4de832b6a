// unique_name: names for what a test makes outside its own process (namespaces, directories, control groups). The name
// carries the pid of its maker, so that what a killed run left behind can be told from what a running one uses.
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
