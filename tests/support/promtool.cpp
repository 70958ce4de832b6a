#include "tests/support/promtool.hpp"

#include <fmt/format.h>

#include <chrono>
#include <fstream>

#include "tests/support/child_process.hpp"
#include "tests/support/temp_dir.hpp"

namespace support {

using namespace std::chrono_literals;

std::string promtool_faults(std::string_view text) {
  const auto shown = run_or_throw({.argv = {GUESTAGENT_SOURCE_DIR "/scripts/promtool"}}, 120s);
  const temp_dir directory;
  const auto file = directory / "metrics";
  std::ofstream(file) << text;
  const auto checked =
      run_command({.argv = {shown.substr(0, shown.find('\n')), "check", "metrics"}, .stdin_file = file});
  if (checked.exit_code == 0 || !checked.text.empty()) return checked.text;
  return fmt::format("promtool ended with {}", checked.exit_code);
}

}  // namespace support
