#include "link/link_control.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <vector>

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

std::size_t open_descriptors() {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

void send_descriptors(int control, std::string_view words, const std::vector<int>& all) {
  alignas(cmsghdr) std::array<char, 256> room{};
  iovec text{const_cast<char*>(words.data()), words.size()};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = room.data();
  message.msg_controllen = CMSG_SPACE(all.size() * sizeof(int));
  auto* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(all.size() * sizeof(int));
  std::memcpy(CMSG_DATA(header), all.data(), all.size() * sizeof(int));
  ASSERT_EQ(::sendmsg(control, &message, 0), static_cast<ssize_t>(words.size()));
}

TEST_F(link_control_test, of_several_descriptors_one_is_taken_and_none_leaks) {
  const auto before = open_descriptors();
  for (std::size_t count = 2; count <= 10; ++count) {
    send_descriptors(setup_.get(), "link offload=1", std::vector<int>(count, link_.get()));
    const auto taken = take_link(switch_.get());
    ASSERT_TRUE(taken && *taken);
    EXPECT_EQ(open_descriptors(), before + 1) << count;
    static_cast<void>(take_answer(setup_.get()));
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(link_control_test, a_descriptor_in_an_answer_is_closed) {
  const auto before = open_descriptors();
  send_descriptors(switch_.get(), "ok", {link_.get(), link_.get()});
  EXPECT_TRUE(*take_answer(setup_.get()));
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(link_control_test, other_words_ask_for_no_offload_and_a_long_message_is_cut) {
  for (const auto& words : {std::string("link"), std::string("link offload=10"), std::string("x"),
                            "link offload=1" + std::string(10'000, ' ')}) {
    send_descriptors(setup_.get(), words, {link_.get()});
    const auto taken = take_link(switch_.get());
    ASSERT_TRUE(taken && *taken);
    EXPECT_FALSE((*taken)->asks_offload) << words.substr(0, 20);
    EXPECT_TRUE(*take_answer(setup_.get()));
  }
}

TEST_F(link_control_test, another_answer_is_none) {
  for (const auto* words : {"OK", "ok\n", "okay", "no"}) {
    ASSERT_GT(::send(switch_.get(), words, std::strlen(words), 0), 0);
    EXPECT_FALSE(*take_answer(setup_.get())) << words;
  }
}

TEST_F(link_control_test, connections_wait_in_order_until_they_are_taken) {
  ASSERT_TRUE(hand_link(setup_.get(), link_.get(), true));
  ASSERT_TRUE(hand_link(setup_.get(), link_.get(), false));
  EXPECT_TRUE((*take_link(switch_.get()))->asks_offload);
  EXPECT_FALSE((*take_link(switch_.get()))->asks_offload);
  EXPECT_FALSE(*take_link(switch_.get()));
}

TEST_F(link_control_test, a_vm_switch_that_takes_nothing_makes_the_queue_full_and_nothing_waits) {
  int handed = 0;
  while (handed < 10'000 && hand_link(setup_.get(), link_.get(), true)) ++handed;
  EXPECT_GT(handed, 0);
  EXPECT_LT(handed, 10'000) << "the kernel bounds what is under way";
}

}  // namespace
}  // namespace links
