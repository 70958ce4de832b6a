#pragma once

#include <string_view>

namespace agent {

inline constexpr std::string_view program_version = GUESTAGENT_VERSION;

}  // namespace agent
