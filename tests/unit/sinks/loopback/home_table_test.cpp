#include "sinks/loopback/home_table.hpp"

#include <boost/asio/io_context.hpp>

#include "tests/unit/sinks/loopback/nat_text.hpp"

namespace loopback {
namespace {

class home_table_test : public testing::Test {
 protected:
  static base::result<std::optional<table_view>> view(const std::string& rules) {
    return table_view(std::make_shared<const nat_table>(table_of(rules)), options);
  }
  static base::result<std::optional<table_view>> unreadable() { return base::fail("unreadable"); }
  static base::result<std::optional<table_view>> no_variant() { return std::nullopt; }

  base::result<> choose(const base::result<std::optional<table_view>>& nft,
                        const base::result<std::optional<table_view>>& legacy) {
    return home_.choose({nft, legacy}, wanted_, tables_);
  }

  static std::string published(int port) { return docker_jumps + docker_rule("127.0.0.1", port, "172.17.0.2:80"); }

  boost::asio::io_context context_;
  netfilter::nat_tables tables_{
      context_.get_executor(),
      {{netfilter::nat_variant::nft, "none", "none"}, {netfilter::nat_variant::legacy, "none", "none"}},
      options.scope(),
      {},
      "test"};
  wanted_ports wanted_ = all_of({wanted_by("abc", key("127.0.0.1", 80))});
  home_table home_;
};

TEST_F(home_table_test, is_the_table_in_which_an_engine_publishes) {
  EXPECT_TRUE(choose(view(""), view(published(80))));
  EXPECT_EQ(home_.index(), 1U);
  EXPECT_TRUE(choose(view(published(80)), view("")));
  EXPECT_EQ(home_.index(), 0U);
}

TEST_F(home_table_test, of_two_it_is_the_one_that_publishes_more_of_what_is_wanted) {
  EXPECT_TRUE(choose(view(published(81)), view(published(80))));
  EXPECT_EQ(home_.index(), 1U);
  wanted_.clear();
  EXPECT_TRUE(choose(view(published(81)), view(published(80))));
  EXPECT_EQ(home_.index(), 0U) << "the first of two equal ones";
}

TEST_F(home_table_test, without_an_engine_it_is_the_first_that_the_kernel_has) {
  EXPECT_TRUE(choose(no_variant(), view("")));
  EXPECT_EQ(home_.index(), 1U);
  EXPECT_TRUE(choose(no_variant(), no_variant()));
  EXPECT_EQ(home_.index(), std::nullopt);
}

TEST_F(home_table_test, stays_where_it_is_while_that_table_is_unreadable) {
  EXPECT_TRUE(choose(view(published(80)), view("")));
  EXPECT_FALSE(choose(unreadable(), view(published(80))));
  EXPECT_EQ(home_.index(), 0U);
}

// The unreadable one may be the engine's.
TEST_F(home_table_test, is_not_chosen_while_an_unreadable_table_may_be_the_right_one) {
  EXPECT_FALSE(choose(unreadable(), view("")));
  EXPECT_EQ(home_.index(), std::nullopt);
  EXPECT_TRUE(choose(unreadable(), view(published(80))));
  EXPECT_EQ(home_.index(), 1U);
}

}  // namespace
}  // namespace loopback
