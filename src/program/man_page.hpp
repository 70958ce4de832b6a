// man_page: a program's manual page for man(1), from its description and its table of flags. Pure.
#pragma once

#include <string>
#include <vector>

#include "program/go_flags.hpp"
#include "program/program_description.hpp"

namespace program {

// In section 8: commands for the administrator. The macros are those of man(7).
[[nodiscard]] std::string man_page(const about& what, const std::vector<flag_description>& flags);

}  // namespace program
