// The rules document as JSON, in both directions. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "protocols/rules_document/document.hpp"

namespace rules_document {

inline constexpr std::size_t max_document_bytes = 64 << 20;

// One line without its newline. What is empty or does not apply is absent.
[[nodiscard]] std::string encode(const document& d);

// Reads a document of any version, as status_document::decode.
[[nodiscard]] base::result<document> decode(std::string_view text);

}  // namespace rules_document
