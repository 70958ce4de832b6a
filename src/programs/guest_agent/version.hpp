#pragma once

#include <string_view>

namespace guest_agent {

inline constexpr std::string_view program_version = GUESTAGENT_VERSION;

}  // namespace guest_agent
