#include "program/completions.hpp"

#include <gmock/gmock.h>

namespace program {
namespace {

using testing::HasSubstr;

const about ctl{.name = "a-ctl", .description = "", .commands = {{"list"}, {"ask", "WORD"}}};
const about daemon_alone{.name = "daemon", .description = ""};
const std::vector<flag_description> flags{{"socket", "The [path] of it's socket: here. And more.", "", "path"},
                                          {"limit", "A number.", "1", "number"},
                                          {"json", "Print JSON.", "", ""}};

TEST(completions, of_bash_offer_commands_flags_and_files_for_values) {
  const auto text = completions("bash", ctl, flags).value();
  EXPECT_THAT(text, HasSubstr("\n_a_ctl() {\n"));
  EXPECT_THAT(text, HasSubstr("= | -socket | --socket | -limit | --limit) return ;;"));
  EXPECT_THAT(text, HasSubstr("-*) mapfile -t COMPREPLY < <(compgen -W '-socket -limit -json' -- \"$word\")"));
  EXPECT_THAT(text, HasSubstr("--*) mapfile -t COMPREPLY < <(compgen -W '--socket --limit --json' -- \"$word\")"));
  EXPECT_THAT(text, HasSubstr(" *) mapfile -t COMPREPLY < <(compgen -W 'list ask' -- \"$word\")"));
  EXPECT_THAT(text, testing::EndsWith("complete -o default -F _a_ctl a-ctl\n"));
}

TEST(completions, of_bash_offer_flags_where_there_are_no_commands) {
  EXPECT_THAT(completions("bash", daemon_alone, flags).value(),
              HasSubstr(" *) mapfile -t COMPREPLY < <(compgen -W '-socket"));
}

TEST(completions, of_zsh_have_the_help_escaped) {
  const auto text = completions("zsh", ctl, flags).value();
  EXPECT_THAT(text, testing::StartsWith("#compdef a-ctl\n_arguments \\\n"));
  EXPECT_THAT(text, HasSubstr(R"(  '-socket=[The \[path\] of it'\''s socket\: here]:path:_files' \)"));
  EXPECT_THAT(text, HasSubstr(R"(  '-limit=[A number]:number: ' \)"));
  EXPECT_THAT(text, HasSubstr(R"(  '-json[Print JSON]' \)"));
  EXPECT_THAT(text, testing::EndsWith("  '1:command:(list ask)' \\\n  '2:argument: '\n"));
}

TEST(completions, of_fish_have_the_help_escaped) {
  const auto text = completions("fish", ctl, flags).value();
  EXPECT_THAT(text, HasSubstr("complete -c a-ctl -n __fish_use_subcommand -a 'list ask'\n"));
  EXPECT_THAT(text, HasSubstr("complete -c a-ctl -o socket -r -F -d 'The [path] of it\\'s socket: here'\n"));
  EXPECT_THAT(text, HasSubstr("complete -c a-ctl -o limit -x -d 'A number'\n"));
  EXPECT_THAT(text, HasSubstr("complete -c a-ctl -o json -d 'Print JSON'\n"));
}

TEST(completions, of_another_shell_there_are_none) { EXPECT_FALSE(completions("csh", ctl, flags)); }

}  // namespace
}  // namespace program
