// output: what guestagentctl writes to standard output.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "protocols/status_document/document.hpp"

namespace guestagentctl {

// Fails when the reader has gone: SIGPIPE is ignored, and a command that follows the agent would continue for ever.
[[nodiscard]] base::result<> print(std::string_view text);

// Reads the agent's answer.
[[nodiscard]] base::result<status_document::document> read_document(std::string_view text);

}  // namespace guestagentctl
