// promtool: what Prometheus' own tool says about a text of metrics. Not every machine has it: its tests are tests of
// their own, which are skipped there. metrics_check.hpp has the checks that every machine can make.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <string_view>

#include "tests/support/child_process.hpp"
#include "tests/support/temp_dir.hpp"

namespace support {

// Fails if `promtool check metrics` says anything about the text. Skips the test where it is not installed.
inline void check_with_promtool(std::string_view text) {
  const temp_dir directory;
  const auto file = directory / "metrics";
  std::ofstream(file) << text;
  const auto checked = run_command({.argv = {"promtool", "check", "metrics"}, .stdin_file = file});
  if (checked.exit_code == 127) GTEST_SKIP() << "promtool is not in PATH";
  EXPECT_EQ(checked.exit_code, 0);
  EXPECT_EQ(checked.text, "") << text;
}

}  // namespace support
