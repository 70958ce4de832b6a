#include "link/link_control.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace links {
namespace {

class link_control_test : public testing::Test {
 protected:
  void SetUp() override {
    auto pair = make_control_pair();
    ASSERT_TRUE(pair);
    setup_ = std::move((*pair)[0]);
    switch_ = std::move((*pair)[1]);
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    link_.reset(ends[0]);
    host_.reset(ends[1]);
  }
  base::unique_fd setup_, switch_, link_, host_;
};

TEST_F(link_control_test, a_connection_is_handed_over_and_answered) {
  for (const bool offload : {false, true}) {
    EXPECT_FALSE(*take_link(switch_.get())) << "nothing waits";
    ASSERT_TRUE(hand_link(setup_.get(), link_.get(), offload));
    EXPECT_FALSE(*take_answer(setup_.get()));
    const auto taken = take_link(switch_.get());
    ASSERT_TRUE(taken && *taken);
    EXPECT_EQ((*taken)->asks_offload, offload);
    EXPECT_TRUE(*take_answer(setup_.get()));
    ASSERT_EQ(::send((*taken)->fd.get(), "x", 1, 0), 1);
    char byte = 0;
    EXPECT_EQ(::recv(host_.get(), &byte, 1, MSG_DONTWAIT), 1) << "the same connection";
  }
}

TEST_F(link_control_test, a_program_that_does_not_know_it_never_answers) {
  ASSERT_TRUE(hand_link(setup_.get(), link_.get(), true));
  EXPECT_FALSE(*take_answer(setup_.get()));
}

TEST_F(link_control_test, the_other_program_s_end_is_an_error) {
  switch_.reset();
  EXPECT_FALSE(hand_link(setup_.get(), link_.get(), true));
  EXPECT_EQ(take_answer(setup_.get()).error().code, std::errc::connection_aborted);
}

TEST_F(link_control_test, a_message_without_a_descriptor_is_ignored) {
  ASSERT_EQ(::send(setup_.get(), "link offload=1", 14, 0), 14);
  EXPECT_FALSE(*take_link(switch_.get()));
}

}  // namespace
}  // namespace links
