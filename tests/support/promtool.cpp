#include "tests/support/promtool.hpp"

#include <fmt/format.h>

#include <fstream>

#include "tests/support/child_process.hpp"
#include "tests/support/fetch.hpp"
#include "tests/support/temp_dir.hpp"

namespace support {

std::string promtool_faults(std::string_view text) {
  const temp_dir directory;
  const auto file = directory / "metrics";
  std::ofstream(file) << text;
  const auto checked = run_command({.argv = {fetch("promtool"), "check", "metrics"}, .stdin_file = file});
  if (checked.exit_code == 0 || !checked.text.empty()) return checked.text;
  return fmt::format("promtool ended with {}", checked.exit_code);
}

}  // namespace support
