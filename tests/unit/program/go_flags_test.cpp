#include "program/go_flags.hpp"

#include <gmock/gmock.h>

#include "base/text.hpp"

namespace program {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class go_flags_test : public testing::Test {
 protected:
  void SetUp() override {
    flags.add("docker", docker, "watch Docker");
    flags.add("iptables", iptables, "scan rules");
    flags.add("kubeconfig", kubeconfig, "the `file` to read");
    flags.add("k8sAPIPort", port, "a port");
    flags.add("port-forward", forwards, "a forward");
    const auto even = [](std::string_view text) -> base::result<int> {
      const auto number = base::parse_number<int>(text);
      if (!number || *number % 2 != 0) return base::fail("not an even number");
      return *number;
    };
    flags.add("even", even_number, even, "a number");
    flags.add("evens", evens, even, "numbers");
  }
  std::string error(std::vector<std::string> arguments) {
    const auto parsed = flags.parse(arguments);
    return parsed ? "" : parsed.error().message();
  }
  bool docker = false, iptables = true;
  std::string kubeconfig = "/etc/default";
  int even_number = 2;
  std::vector<int> evens;
  std::uint16_t port = 6443;
  std::vector<std::string> forwards;
  flag_set flags{"agent", "[flags]", "Does things."};
};

TEST_F(go_flags_test, one_dash_or_two_and_values_in_both_forms) {
  EXPECT_EQ(error({"-docker", "--kubeconfig", "/p", "-k8sAPIPort=1", "--even=4", "-evens", "6", "-evens=8"}), "");
  EXPECT_TRUE(docker);
  EXPECT_EQ(kubeconfig, "/p");
  EXPECT_EQ(port, 1);
  EXPECT_EQ(even_number, 4);
  EXPECT_THAT(evens, ElementsAre(6, 8));
  EXPECT_TRUE(flags.is_set("docker"));
  EXPECT_FALSE(flags.is_set("iptables"));
}

TEST_F(go_flags_test, booleans_take_a_value_only_after_equals) {
  for (const auto* yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    docker = false;
    EXPECT_EQ(error({std::string("-docker=") + yes}), "");
    EXPECT_TRUE(docker) << yes;
  }
  for (const auto* no : {"0", "f", "F", "FALSE", "false", "False"}) {
    iptables = true;
    EXPECT_EQ(error({std::string("-iptables=") + no}), "");
    EXPECT_FALSE(iptables) << no;
  }
  EXPECT_EQ(error({"-docker", "false"}), "");
  EXPECT_TRUE(docker);
  EXPECT_THAT(flags.rest(), ElementsAre("false"));
}

TEST_F(go_flags_test, messages_are_gos) {
  EXPECT_EQ(error({"-x"}), "flag provided but not defined: -x");
  EXPECT_EQ(error({"--x=1"}), "flag provided but not defined: -x");
  EXPECT_EQ(error({"-docker=maybe"}), "invalid boolean value \"maybe\" for -docker: parse error");
  EXPECT_EQ(error({"-k8sAPIPort", "x"}), "invalid value \"x\" for flag -k8sAPIPort: parse error");
  EXPECT_EQ(error({"-even=3"}), "invalid value \"3\" for flag -even: not an even number");
  EXPECT_EQ(error({"-kubeconfig"}), "flag needs an argument: -kubeconfig");
  EXPECT_EQ(error({"---x"}), "bad flag syntax: ---x");
  EXPECT_EQ(error({"-=x"}), "bad flag syntax: -=x");
}

TEST_F(go_flags_test, parsing_stops_at_the_first_other_word) {
  EXPECT_EQ(error({"-docker", "ports", "-x"}), "");
  EXPECT_THAT(flags.rest(), ElementsAre("ports", "-x"));
  EXPECT_EQ(error({"--", "-docker"}), "");
  EXPECT_THAT(flags.rest(), ElementsAre("-docker"));
  EXPECT_EQ(error({"-"}), "");
  EXPECT_THAT(flags.rest(), ElementsAre("-"));
}

TEST_F(go_flags_test, the_last_one_wins_and_lists_collect) {
  EXPECT_EQ(error({"-kubeconfig=a", "-kubeconfig", "b", "-port-forward=1", "-port-forward", "2", "-kubeconfig="}), "");
  EXPECT_EQ(kubeconfig, "");
  EXPECT_THAT(forwards, ElementsAre("1", "2"));
}

TEST_F(go_flags_test, help_is_no_error) {
  for (const auto* ask : {"-h", "-help", "--help", "-h=1", "-help="})
    EXPECT_EQ(flags.parse({ask}).value(), parse_outcome::help);
}

TEST_F(go_flags_test, usage_leaves_indented_paragraphs_as_they_are) {
  const flag_set with_example("agent", "[flags]", "As in:\n\n    a:\n      - b\n\nand so on.");
  EXPECT_EQ(with_example.usage(), "Usage: agent [flags]\n\nAs in:\n\n    a:\n      - b\n\nand so on.\n");
}

TEST_F(go_flags_test, usage_names_every_flag_its_value_and_its_default) {
  const auto text = flags.usage();
  EXPECT_THAT(text, HasSubstr("Usage: agent [flags]\n\nDoes things.\n"));
  EXPECT_THAT(text, HasSubstr("  -kubeconfig file\n        the file to read (default /etc/default)\n"));
  EXPECT_THAT(text, HasSubstr("  -docker\n        watch Docker\n"));
  EXPECT_THAT(text, HasSubstr("scan rules (default true)"));
  EXPECT_THAT(text, HasSubstr("  -even value\n        a number (default 2)\n"));
}

}  // namespace
}  // namespace program
