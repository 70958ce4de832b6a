#include "base/program.hpp"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <array>

namespace base {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// What parse_command_line() answers and prints for a program with the flag -n.
struct ending {
  std::optional<int> code;
  std::string out;
  std::string err;
};

ending start(std::vector<const char*> argv) {
  std::uint16_t number = 1;
  flag_set flags("prog", "[flags]", "Does it.");
  flags.add("n", number, "A number.");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const auto code = parse_command_line(flags, static_cast<int>(argv.size()), argv.data());
  std::fflush(stdout);
  auto out = testing::internal::GetCapturedStdout();
  return {code, std::move(out), testing::internal::GetCapturedStderr()};
}

TEST(Program, GoesOnAfterAGoodCommandLine) {
  const auto e = start({"prog", "-n=2"});
  EXPECT_EQ(e.code, std::nullopt);
  EXPECT_EQ(e.out + e.err, "");
  EXPECT_EQ(start({}).code, std::nullopt);
}

TEST(Program, HelpIsUsageOnStderrAndNoFailure) {
  const auto e = start({"prog", "-h"});
  EXPECT_EQ(e.code, exit_ok);
  EXPECT_EQ(e.out, "");
  EXPECT_THAT(e.err, StartsWith("Usage: prog [flags]\n"));
  EXPECT_THAT(e.err, HasSubstr("-version"));
}

TEST(Program, AWrongCommandLineIsItsReasonAndUsageOnStderr) {
  const auto e = start({"prog", "-x"});
  EXPECT_EQ(e.code, exit_usage);
  EXPECT_EQ(e.out, "");
  EXPECT_THAT(e.err, StartsWith("flag provided but not defined: -x\nUsage: prog [flags]\n"));
}

TEST(Program, VersionIsOneLineOnStdout) {
  for (const auto* flag : {"-version", "--version"}) {
    const auto e = start({"prog", flag});
    EXPECT_EQ(e.code, exit_ok);
    EXPECT_EQ(e.out, "prog " GUESTAGENT_VERSION "\n");
    EXPECT_EQ(e.err, "");
  }
}

TEST(Program, FlagsMayBeParsedOnceMore) {  // as guestagentctl does, for those behind its command
  flag_set flags("prog", "[flags]", "");
  const std::array<const char*, 1> none{"prog"};
  ASSERT_EQ(parse_command_line(flags, static_cast<int>(none.size()), none.data()), std::nullopt);
  EXPECT_TRUE(flags.parse({"-version"}));  // what it sets is there still
  EXPECT_TRUE(flags.is_set("version"));
}

TEST(Program, AFailureNamesTheProgram) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(report_failure("prog", "no such thing"), exit_failure);
  EXPECT_EQ(report_failure("prog", "what?", exit_usage), exit_usage);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "prog: no such thing\nprog: what?\n");
}

TEST(Program, TakesAllTheDescriptorsThatItMayHave) {
  rlimit before{}, after{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low = before;
  low.rlim_cur = 64;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  raise_descriptor_limit();
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
}

}  // namespace
}  // namespace base
