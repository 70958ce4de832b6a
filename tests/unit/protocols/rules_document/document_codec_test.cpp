#include "protocols/rules_document/document_codec.hpp"

#include <gtest/gtest.h>

namespace rules_document {
namespace {

document full() {
  return {.file = "/etc/rules.yaml",
          .trouble = "line 2: no",
          .warnings = {"line 3: never matches"},
          .rules = {{"{port: 80, ignore: true}", 2, 1}, {"{port: 81}", 4, 0}},
          .built_in = {{"{port: 53, ignore: true}", 0, {}}}};
}

TEST(rules_document, members_in_their_order) {
  EXPECT_EQ(
      encode(full()),
      R"({"file":"/etc/rules.yaml","trouble":"line 2: no","warnings":["line 3: never matches"],)"
      R"("rules":[{"text":"{port: 80, ignore: true}","line":2,"ports":1},{"text":"{port: 81}","line":4,"ports":0}],)"
      R"("built_in":[{"text":"{port: 53, ignore: true}"}]})");
  EXPECT_EQ(encode({}), R"({"file":"","rules":[],"built_in":[]})");
}

TEST(rules_document, reads_what_it_writes) { EXPECT_EQ(decode(encode(full())).value(), full()); }

TEST(rules_document, members_of_other_versions_do_no_harm) {
  EXPECT_EQ(decode(R"({"new":1,"file":7,"rules":[7,{"line":-1,"text":"x"}],"warnings":[1,"w"]})").value(),
            (document{.warnings = {"w"}, .rules = {{"x", 0, {}}}}));
  EXPECT_FALSE(decode("[]"));
  EXPECT_FALSE(decode("{"));
}

}  // namespace
}  // namespace rules_document
