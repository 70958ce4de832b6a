// Pure checks of text that people wrote: whether it is UTF-8, and without control characters.
#pragma once

#include <cstddef>
#include <string_view>

namespace rules {

// Where the first byte lies that is not part of a UTF-8 character, or begins a control character; npos: nowhere.
// `allowed` are control characters of ASCII that may be there.
[[nodiscard]] std::size_t find_bad_character(std::string_view text, std::string_view allowed = {});

// How many characters begin in the text, which is UTF-8.
[[nodiscard]] std::size_t count_characters(std::string_view text);

}  // namespace rules
