// promtool: what Prometheus' own tool says about a text of metrics, where it is in PATH. metrics_check.hpp has the checks
// that every machine can make.
#pragma once

#include <fstream>
#include <string>
#include <string_view>

#include "tests/support/child_process.hpp"
#include "tests/support/temp_dir.hpp"

namespace support {

// The output of `promtool check metrics`; empty: it says nothing, or is not installed.
inline std::string promtool_faults(std::string_view text) {
  const temp_dir directory;
  const auto file = directory / "metrics";
  std::ofstream(file) << text;
  const auto checked = run_command({.argv = {"promtool", "check", "metrics"}, .stdin_file = file});
  if (checked.exit_code == 127) return "";
  return checked.exit_code == 0 ? checked.text : checked.text + "it fails\n";
}

}  // namespace support
