// replace_file: a small file of the program's own, written so that a crash or a power failure leaves the old content or
// the new one, and nothing in between.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.hpp"

namespace base {

// Writes "<file>.new", readable by its owner alone, and renames it into place; both are on the disk when it returns. A
// link at either name is replaced, not followed. The directory must be there.
// After a failure "<file>.new" is gone.
[[nodiscard]] result<> replace_file(const std::filesystem::path& file, std::string_view text);

}  // namespace base
