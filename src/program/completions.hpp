// completions: the files by which shells complete a program's command lines, from its table of flags. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "program/go_flags.hpp"
#include "program/program_description.hpp"

namespace program {

// For "bash", "zsh" or "fish"; nothing for another shell.
[[nodiscard]] std::optional<std::string> completions(std::string_view shell, const about& what,
                                                     const std::vector<flag_description>& flags);

}  // namespace program
