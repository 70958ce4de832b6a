#include "program/command_line.hpp"

#include <gmock/gmock.h>

namespace program {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// What parse() returns and prints for a program with the flag -n.
struct ending {
  std::optional<int> code;
  std::string out, err, command, argument;
  std::uint16_t number = 1;
};

ending start(std::vector<const char*> words, std::vector<command> commands = {}) {
  ending e;
  words.insert(words.begin(), "prog");
  command_line line({.name = "prog", .description = "Does it.", .commands = std::move(commands)});
  line.flags().add("n", e.number, "A number.");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  e.code = line.parse(static_cast<int>(words.size()), words.data());
  std::fflush(stdout);
  e.out = testing::internal::GetCapturedStdout();
  e.err = testing::internal::GetCapturedStderr();
  e.command = line.command();
  e.argument = line.argument();
  return e;
}

TEST(command_line, goes_on_where_it_is_right) {
  const auto e = start({"-n=2"});
  EXPECT_EQ(e.code, std::nullopt);
  EXPECT_EQ(e.out + e.err, "");
  EXPECT_EQ(e.number, 2);
  EXPECT_EQ(command_line({.name = "prog", .description = ""}).parse(0, nullptr), std::nullopt);
}

TEST(command_line, a_command_may_have_a_further_word) {
  const std::vector<command> commands{{"rules", "show|check", "FILE"}};
  EXPECT_EQ(start({"rules", "check", "-n=2", "a.yaml"}, commands).code, std::nullopt);
  EXPECT_EQ(start({"rules", "show"}, commands).code, std::nullopt);
  const auto many = start({"rules", "check", "a", "b"}, commands);
  EXPECT_EQ(many.code, exit_usage);
  EXPECT_THAT(many.err, StartsWith("unexpected argument: b\n"));
  EXPECT_THAT(many.err, HasSubstr("prog rules show|check [FILE] [flags]"));
}

TEST(command_line, help_is_usage_on_stderr_and_no_failure) {
  const auto e = start({"-h"});
  EXPECT_EQ(e.code, exit_ok);
  EXPECT_EQ(e.out, "");
  EXPECT_THAT(e.err, StartsWith("Usage: prog [flags]\n\nDoes it.\n"));
  EXPECT_THAT(e.err, HasSubstr("-version"));
}

TEST(command_line, what_is_wrong_is_its_reason_and_usage_on_stderr) {
  for (const auto& [word, reason] : {std::pair{"-x", "flag provided but not defined: -x"},
                                     std::pair{"-n=x", "invalid value \"x\" for flag -n: parse error"},
                                     std::pair{"more", "unexpected argument: more"}}) {
    const auto e = start({word});
    EXPECT_EQ(e.code, exit_usage);
    EXPECT_EQ(e.out, "");
    EXPECT_THAT(e.err, StartsWith(std::string(reason) + "\nUsage: prog [flags]\n"));
    EXPECT_THAT(e.err, EndsWith("\n\nprog: " + std::string(reason) + "\n"))
        << "the usage may scroll the first line away";
  }
}

TEST(command_line, version_is_one_line_on_stdout) {
  for (const auto& words : {std::vector{"-version"}, std::vector{"--version"}, std::vector{"one", "-version"}}) {
    const auto e = start(words, {{"one"}, {"two"}});
    EXPECT_EQ(e.code, exit_ok);
    EXPECT_EQ(e.out, "prog " GUESTAGENT_VERSION "\n");
    EXPECT_EQ(e.err, "");
  }
}

TEST(command_line, a_command_may_stand_anywhere_among_the_flags) {
  for (const auto& words : {std::vector{"two", "-n", "3"}, std::vector{"-n", "3", "two"}}) {
    const auto e = start(words, {{"one"}, {"two"}});
    EXPECT_EQ(e.code, std::nullopt) << e.err;
    EXPECT_EQ(e.command, "two");
    EXPECT_EQ(e.number, 3);
  }
  EXPECT_THAT(start({"-n=3"}, {{"one"}, {"two"}}).err,
              StartsWith("no command: one or two\nUsage: prog one|two [flags]\n"));
  EXPECT_THAT(start({"three"}, {{"one"}, {"two"}}).err, StartsWith("unknown command: three\n"));
  EXPECT_THAT(start({"one", "two"}, {{"one"}, {"two"}}).err, StartsWith("unexpected argument: two\n"));
  EXPECT_EQ(start({"one", "-x"}, {{"one"}, {"two"}}).code, exit_usage);
  EXPECT_EQ(start({"one", "-h"}, {{"one"}, {"two"}}).code, exit_ok);
}

TEST(command_line, a_command_may_have_an_argument) {
  const std::vector<command> commands{{"one"}, {"ask", "WORD"}};
  for (const auto& words :
       {std::vector{"ask", "-n", "3", "it"}, std::vector{"-n", "3", "ask", "it"}, std::vector{"ask", "it", "-n=3"}}) {
    const auto e = start(words, commands);
    EXPECT_EQ(e.code, std::nullopt) << e.err;
    EXPECT_EQ(e.command, "ask");
    EXPECT_EQ(e.argument, "it");
    EXPECT_EQ(e.number, 3);
  }
  EXPECT_THAT(start({"ask"}, commands).err,
              StartsWith("ask: no WORD\nUsage: prog one [flags]\n       prog ask WORD [flags]\n"));
  EXPECT_THAT(start({"ask", "it", "again"}, commands).err, StartsWith("unexpected argument: again\n"));
  EXPECT_THAT(start({"one", "it"}, commands).err, StartsWith("unexpected argument: it\n"));
}

TEST(command_line, documents_for_packages_are_made_from_the_flags) {
  const auto manual = start({"-man"}, {{"one"}});
  EXPECT_EQ(manual.code, exit_ok);
  EXPECT_THAT(manual.out, StartsWith(".TH PROG 8 "));
  EXPECT_THAT(manual.out, HasSubstr("\\fB\\-n\\fR"));
  EXPECT_THAT(start({"-completions", "bash"}).out, EndsWith("complete -o default -F _prog prog\n"));
  EXPECT_EQ(start({"-completions", "csh"}).code, exit_usage);
  EXPECT_THAT(start({"-h"}).err, testing::Not(HasSubstr("completions"))) << "they are for packages";
}

TEST(command_line, a_failure_names_the_program) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(report_failure("prog", "no such thing"), exit_failure);
  EXPECT_EQ(report_failure("prog", "what?", exit_usage), exit_usage);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "prog: no such thing\nprog: what?\n");
}

}  // namespace
}  // namespace program
