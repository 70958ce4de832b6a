// The status document as JSON, in both directions. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "protocols/status_document/document.hpp"

namespace status_document {

inline constexpr std::size_t max_document_bytes = 256 << 20;

// One line without its newline. Members keep their order; a reason, a time or a number that does not apply is absent.
[[nodiscard]] std::string encode(const document& d);

// Reads a document of any version: unknown members are ignored, and a member that is absent or has an unexpected type
// counts as empty. Fails if the text is not a JSON object, or exceeds max_document_bytes or a depth of 32.
[[nodiscard]] base::result<document> decode(std::string_view text);

}  // namespace status_document
