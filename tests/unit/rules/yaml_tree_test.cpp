#include "rules/yaml_tree.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace rules {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<problem> problems_of(std::string_view text) {
  problem_list problems(text);
  (void)parse_yaml(text, problems);
  return std::move(problems).take();
}

yaml_node tree_of(std::string_view text) {
  problem_list problems(text);
  auto tree = parse_yaml(text, problems);
  EXPECT_THAT(std::move(problems).take(), IsEmpty()) << text;
  return tree.value_or(yaml_node{});
}

TEST(yaml_tree, knows_the_place_of_each_value) {
  const auto tree = tree_of("# above\na: 1\nb:\n  - x\n  - {c: \"y\"}\n");
  EXPECT_EQ(tree.what, yaml_node::kind::map);
  ASSERT_THAT(tree.keys, SizeIs(2));
  EXPECT_EQ(tree.keys[1].at, (position{3, 1}));
  EXPECT_EQ(tree.find("a")->text, "1");
  EXPECT_EQ(tree.find("a")->at, (position{2, 4}));
  const auto& list = tree.find("b")->items;
  ASSERT_THAT(list, SizeIs(2));
  EXPECT_EQ(list[0].at, (position{4, 5}));
  EXPECT_EQ(list[1].find("c")->text, "y");
  EXPECT_EQ(list[1].find("c")->at, (position{5, 9}));
  EXPECT_EQ(tree.find("c"), nullptr);
}

TEST(yaml_tree, a_text_without_a_document_is_null) {
  for (const auto* text : {"", "\n\n", "# comment\n", "---\n", "~", "null"})
    EXPECT_EQ(tree_of(text).what, yaml_node::kind::null) << text;
}

TEST(yaml_tree, windows_line_ends_are_line_ends) {
  EXPECT_EQ(tree_of("a: 1\r\nb: 2\r\n").find("b")->at, (position{2, 4}));
  EXPECT_EQ(tree_of("a: 1\r\nb: 2\r\n").find("a")->text, "1");
}

TEST(yaml_tree, refuses_by_the_table) {
  struct row {
    const char* text;
    problem expected;
  };
  for (const auto& [text, expected] : std::vector<row>{
           {"a: &x 1\n", {{1, 4}, "anchors are not supported", "write the value out"}},
           {"a: !!int 1\n", {{1, 4}, "tags are not supported", "remove tag:yaml.org,2002:int"}},
           {"a: !x [1]\n", {{1, 4}, "tags are not supported", "remove !x"}},
           {"a: 1\nb: 2\na: 3\n", {{3, 1}, "\"a\" stands twice", "it is already on line 1"}},
           {"? [a]\n: 1\n", {{1, 3}, "the key is not a text", ""}},
           {"a: 1\n---\nb: 1\n", {{2, 1}, "a second document begins here", "remove the line ---"}},
           {"a: \"x\\ny\"\n",
            {{1, 4}, "the value has a line break or another control character", "write it on one line"}},
           {"a: |\n  x\nb: 1\n",
            {{1, 4}, "the value has a line break or another control character", "write it on one line"}},
           {"ü: 1\nü: x\xff\n", {{2, 5}, "there is a byte that is not text", "save the file as UTF-8"}},
           {"[[[[[[[[[1]]]]]]]]]\n", {{1, 9}, "is nested too deeply", ""}},
       })
    EXPECT_THAT(problems_of(text), ElementsAre(expected)) << text;
}

TEST(yaml_tree, an_alias_is_refused_where_it_stands) {
  const auto found = problems_of("a: &x {b: 1}\nc: *x\n");
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[1], (problem{{2, 4}, "aliases are not supported", "write the value out"}));
}

TEST(yaml_tree, a_bomb_of_aliases_stays_small) {
  std::string text = "a: &a [x, x]\n";
  for (char c = 'b'; c <= 'z'; ++c) text += fmt::format("{}: &{} [*{}, *{}]\n", c, c, c - 1, c - 1);
  EXPECT_THAT(problems_of(text), testing::Not(IsEmpty()));
}

TEST(yaml_tree, invalid_yaml_has_a_place) {
  const auto found = problems_of("a: 1\nb: [1, 2\nc: 3\n");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_GE(found[0].at.line, 2U);
  EXPECT_THAT(found[0].text, testing::StartsWith("not YAML: "));
  EXPECT_THAT(problems_of("a: 1\n b: 2\n"), SizeIs(1));
  for (const auto* text : {"a: \"x", "a: \"x\n", "a: 'x\n \n", "a: \"x\nb: 2\r\n\t\n", "[\"x\n", "{a: 'x\n"})
    EXPECT_THAT(problems_of(text), SizeIs(1)) << text;
  EXPECT_THAT(problems_of("a: *x\n"), SizeIs(1));
}

TEST(yaml_tree, is_bounded) {
  const auto text_of = [](std::string_view text) { return problems_of(text).at(0).text; };
  EXPECT_EQ(text_of(std::string(yaml_limits::bytes + 1, '#')), "the text is larger than 1 MiB");
  EXPECT_THAT(problems_of(std::string(yaml_limits::bytes, '#')), IsEmpty());
  std::string many = "[";
  for (std::size_t i = 0; i < yaml_limits::nodes; ++i) many += "a,";
  EXPECT_EQ(text_of(many + "a]"), "the file has more than 250000 values");
  std::string keys = "{";
  for (std::size_t i = 0; i <= yaml_limits::keys; ++i) keys += fmt::format("k{}: 1, ", i);
  EXPECT_EQ(text_of(keys + "}"), "a map has more than 64 keys");
}

}  // namespace
}  // namespace rules
