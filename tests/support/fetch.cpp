#include "tests/support/fetch.hpp"

#include <chrono>
#include <filesystem>
#include <stdexcept>

#include "base/text.hpp"
#include "tests/support/child_process.hpp"

namespace support {

using namespace std::chrono_literals;

std::string fetch(const std::string& script) {
  const auto path = std::filesystem::path(GUESTAGENT_SOURCE_DIR) / "scripts" / script;
  const auto printed = run_or_throw({.argv = {path}}, 120s);
  return std::string(base::split(base::trim(printed), '\n').back());
}

std::string fetch_failure(const std::string& script) try {
  return fetch(script).empty() ? script + " prints no path" : "";
} catch (const std::runtime_error& e) {
  return e.what();
}

}  // namespace support
