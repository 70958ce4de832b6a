#include "program/man_page.hpp"

#include <gmock/gmock.h>

namespace program {
namespace {

using testing::HasSubstr;

const about what{.name = "two-words",
                 .description = "Does it. And more.\n\n.hidden 'quoted' \\ path\n\n    indented\n    'lines",
                 .commands = {{"peer"}, {"ask", "WORD"}},
                 .exit_codes = {{3, "too late"}, {4, "in use"}}};
const std::vector<flag_description> flags{{"socket", "The path of the socket.", "/run/a-b.sock", "path"},
                                          {"json", "Print JSON.", "", ""}};

TEST(man_page, has_the_sections_in_their_order) {
  const auto text = man_page(what, flags);
  EXPECT_THAT(text, testing::StartsWith(".TH TWO\\-WORDS 8 \"\" \"guestagent " GUESTAGENT_VERSION "\""));
  std::size_t at = 0;
  for (const auto* section :
       {".SH NAME\ntwo\\-words \\- does it\n", ".SH SYNOPSIS\n.B two\\-words peer\n[flags]\n.br\n",
        ".B two\\-words ask\n.I WORD\n[flags]\n", ".SH DESCRIPTION\n.PP\nDoes it. And more.\n", ".SH OPTIONS\n",
        ".SH \"EXIT STATUS\"\n", ".SH \"SEE ALSO\"\n.PP\noperations.md in "}) {
    const auto found = text.find(section, at);
    ASSERT_NE(found, std::string::npos) << section << "in\n" << text;
    at = found;
  }
}

TEST(man_page, has_each_flag_with_its_value_and_default) {
  const auto text = man_page(what, flags);
  EXPECT_THAT(
      text,
      HasSubstr(".TP\n\\fB\\-socket\\fR \\fIpath\\fR\nThe path of the socket. (default /\\:run/\\:a\\-b.sock)\n"));
  EXPECT_THAT(text, HasSubstr(".TP\n\\fB\\-json\\fR\nPrint JSON.\n"));
  EXPECT_THAT(text, HasSubstr(".TP\n\\fB\\-h\\fR\n"));
}

TEST(man_page, has_the_exit_codes_of_all_programs_and_of_this_one) {
  EXPECT_THAT(man_page(what, flags), HasSubstr(", 2 wrong command line,\n3 too late,\n4 in use.\n"));
  EXPECT_THAT(man_page({.name = "other", .description = "Other."}, {}), HasSubstr(", 2 wrong command line.\n"));
}

TEST(man_page, text_is_never_a_request) {
  const auto text = man_page(what, flags);
  EXPECT_THAT(text, HasSubstr("\n\\&.hidden \\(aqquoted\\(aq \\(rs path\n"));
  EXPECT_THAT(text, HasSubstr("\n.nf\n    indented\n    \\(aqlines\n.fi\n"));
}

}  // namespace
}  // namespace program
