// fetch: a file that a script in scripts/ gets from the network, once, as promtool. Offline there may be none.
#pragma once

#include <string>

namespace support {

// The path that the script prints in its last line, within two minutes. Throws std::runtime_error with what the script
// said if it fails. `script`: its name, or an absolute path.
[[nodiscard]] std::string fetch(const std::string& script);
// For a test that is skipped without the file: why there is none; "" if it is there.
[[nodiscard]] std::string fetch_failure(const std::string& script);

}  // namespace support
