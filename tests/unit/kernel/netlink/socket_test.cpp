// Against the real kernel, and for what a kernel rarely does against a pair of sockets whose other end plays the
// kernel.
#include "kernel/netlink/socket.hpp"

#include <gmock/gmock.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "tests/support/socket_peer.hpp"
#include "tests/unit/kernel/raw_bytes.hpp"

namespace netlink {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace raw_bytes;

constexpr std::uint16_t object = NLMSG_MIN_TYPE + 1;

struct spec {
  std::uint16_t type = object;
  std::uint32_t sequence = 1;
  std::int32_t value = 0;  // the body: an object's number, or the kernel's error
  std::uint16_t flags = 0;
};
bytes message(const spec& s) {
  struct {
    nlmsghdr head;
    std::int32_t value;
  } whole{{sizeof whole, s.type, s.flags, s.sequence, 0}, s.value};
  return raw(whole);
}
bytes done(std::uint32_t sequence = 1, std::int32_t value = 0, std::uint16_t flags = 0) {
  return message({NLMSG_DONE, sequence, value, flags});
}
bytes error(std::int32_t value, std::uint32_t sequence = 1) { return message({NLMSG_ERROR, sequence, value}); }

using numbers = std::vector<std::int32_t>;
void read_numbers(bytes_view datagram, numbers& into) {
  for_each_message(datagram, [&into](const nlmsghdr& head, bytes_view body) {
    if (head.nlmsg_type == object) into.push_back(read<std::int32_t>(body).value());
  });
}

question list(std::chrono::milliseconds limit = 10s, std::size_t most = 1000) {
  return {.request = message({}), .name = "list", .deadline = steady_clock::now() + limit, .most_messages = most};
}

class socket_with_fake_kernel : public testing::Test {
 protected:
  socket_with_fake_kernel() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
      throw std::runtime_error("pair");
    kernel_.reset(ends[0]);
    socket_ = socket(base::unique_fd(ends[1]));
  }
  void answer(const bytes& datagram) const {
    ASSERT_EQ(::send(kernel_.get(), datagram.data(), datagram.size(), 0), std::ssize(datagram));
  }
  // The next request's sequence number; 0: none has arrived.
  [[nodiscard]] std::uint32_t asked() const {
    std::array<std::byte, 256> request;
    const auto got = ::recv(kernel_.get(), request.data(), request.size(), 0);
    return got < 0 ? 0 : read<nlmsghdr>(std::span(request).first(static_cast<std::size_t>(got)))->nlmsg_seq;
  }
  base::result<numbers> dump(const question& q) { return socket_.dump<numbers>(q, read_numbers); }

  base::unique_fd kernel_;
  socket socket_{base::unique_fd()};
};

TEST_F(socket_with_fake_kernel, a_dump_has_all_datagrams_up_to_the_last_message) {
  answer(message({.value = 1}) + message({.value = 2}));
  answer(message({.value = 3}) + done());
  EXPECT_THAT(dump(list()).value(), ElementsAre(1, 2, 3));
}

TEST_F(socket_with_fake_kernel, an_interrupted_dump_starts_again) {
  answer(message({.value = 1}) + done(1, 0, NLM_F_DUMP_INTR));
  answer(message({.sequence = 2, .value = 1}) + message({.sequence = 2, .value = 2}) + done(2));
  EXPECT_THAT(dump(list()).value(), ElementsAre(1, 2));
  EXPECT_EQ(asked(), 1U);
  EXPECT_EQ(asked(), 2U);
}

TEST_F(socket_with_fake_kernel, a_dump_that_is_always_interrupted_is_an_error) {
  for (std::uint32_t attempt = 1; attempt <= 5; ++attempt) answer(done(attempt, 0, NLM_F_DUMP_INTR));
  const auto found = dump(list());
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, std::errc::resource_unavailable_try_again);
  EXPECT_THAT(found.error().message(), HasSubstr("list keeps changing"));
}

TEST_F(socket_with_fake_kernel, a_refusal_has_the_kernels_number) {
  answer(error(-EPERM));
  EXPECT_EQ(dump(list()).error().code, std::errc::operation_not_permitted);
}

TEST_F(socket_with_fake_kernel, a_list_that_ends_early_is_an_error) {
  answer(message({.value = 1}) + done(1, -ENOMEM));
  EXPECT_EQ(dump(list()).error().code, std::errc::not_enough_memory);
}

TEST_F(socket_with_fake_kernel, a_number_that_is_no_errno_is_a_protocol_error) {
  answer(error(-1'000'000));
  EXPECT_EQ(dump(list()).error().code, std::errc::protocol_error);
}

TEST_F(socket_with_fake_kernel, silence_ends_at_the_deadline) {
  const auto begin = steady_clock::now();
  EXPECT_EQ(dump(list(20ms)).error().code, std::errc::timed_out);
  EXPECT_GE(steady_clock::now() - begin, 20ms);
}

TEST_F(socket_with_fake_kernel, an_answer_that_never_ends_does_so_at_the_deadline) {
  std::jthread kernel([this](const std::stop_token& stop) {
    const auto one = message({});
    while (!stop.stop_requested()) ::send(kernel_.get(), one.data(), one.size(), 0);
  });
  EXPECT_EQ(dump(list(50ms, 1'000'000'000)).error().code, std::errc::timed_out);
}

TEST_F(socket_with_fake_kernel, an_answer_with_too_many_messages_is_an_error) {
  answer(message({}) + message({}) + message({}) + done());
  const auto found = dump(list(10s, 3));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, std::errc::value_too_large);
}

TEST_F(socket_with_fake_kernel, a_datagram_beyond_the_buffer_is_an_error) {
  answer(bytes(70'000));
  EXPECT_EQ(dump(list()).error().code, std::errc::message_size);
}

TEST_F(socket_with_fake_kernel, what_an_abandoned_answer_left_is_not_taken_for_the_next) {
  ASSERT_FALSE(dump(list(0ms)));
  ASSERT_EQ(asked(), 1U);
  answer(message({.sequence = 1, .value = 7}));
  std::jthread kernel([this] {
    ASSERT_TRUE(support::eventually([this] { return asked() == 2; }));
    answer(message({.sequence = 1, .value = 8}) + done(1));  // late
    answer(message({.sequence = 2, .value = 9}) + done(2));
  });
  EXPECT_THAT(dump(list()).value(), ElementsAre(9));
}

TEST_F(socket_with_fake_kernel, a_transaction_waits_for_the_message_that_is_acknowledged) {
  answer(error(0, 1));
  answer(error(0, 3));
  EXPECT_TRUE(socket_.transact(list(), 3));
  answer(error(0, 1));
  EXPECT_EQ(socket_.transact(list(20ms), 3).error().code, std::errc::timed_out);
}

TEST_F(socket_with_fake_kernel, a_transaction_fails_with_the_first_refusal) {
  answer(error(-ENOENT, 2) + error(-EBUSY, 3));
  EXPECT_EQ(socket_.transact(list(), 3).error().code, std::errc::no_such_file_or_directory);
}

TEST_F(socket_with_fake_kernel, one_object_is_one_datagram) {
  answer(message({.value = 5}));
  EXPECT_EQ(socket_.get(list()).value(), message({.value = 5}));
  answer(error(-ENETUNREACH));
  EXPECT_EQ(socket_.get(list()).error().code, std::errc::network_unreachable);
}

TEST_F(socket_with_fake_kernel, a_malformed_object_is_a_protocol_error) {
  answer(bytes(3));
  EXPECT_EQ(socket_.get(list()).error().code, std::errc::protocol_error);
}

TEST_F(socket_with_fake_kernel, notices_are_read_until_there_are_none) {
  EXPECT_FALSE(socket_.discard_notices());
  answer(message({.value = 1}));
  answer(message({.value = 2}));
  std::array<std::byte, 256> buffer;
  const auto first = socket_.next_notice(buffer);
  ASSERT_TRUE(first);
  EXPECT_TRUE(std::ranges::equal(*first, message({.value = 1})));
  EXPECT_TRUE(socket_.discard_notices());
  EXPECT_FALSE(socket_.next_notice(buffer));
}

bytes links_request(std::uint16_t flags) {
  struct {
    nlmsghdr head{};
    ifinfomsg what{};
  } request;
  request.head = {sizeof request, RTM_GETLINK, static_cast<std::uint16_t>(NLM_F_REQUEST | flags), 0, 0};
  const auto view = std::as_bytes(std::span(&request, 1));
  return {view.begin(), view.end()};
}

TEST(netlink_socket, lists_what_the_kernel_has) {
  auto kernel = socket::open(NETLINK_ROUTE);
  ASSERT_TRUE(kernel);
  const auto read = [](bytes_view datagram, std::size_t& links) {
    for_each_message(datagram, [&](const nlmsghdr& head, bytes_view) { links += head.nlmsg_type == RTM_NEWLINK; });
  };
  for (int i = 0; i < 2; ++i) {
    const auto links = kernel->dump<std::size_t>({.request = links_request(NLM_F_DUMP), .name = "links"}, read);
    ASSERT_TRUE(links) << links.error().message();
    EXPECT_GE(*links, 1U) << "lo";
  }
}

TEST(netlink_socket, a_wrong_request_has_an_error_with_its_name) {
  auto kernel = socket::open(NETLINK_ROUTE);
  ASSERT_TRUE(kernel);
  const auto answer = kernel->get({.request = links_request(0), .name = "link without a name"});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, std::errc::invalid_argument);
  EXPECT_THAT(answer.error().message(), HasSubstr("link without a name"));
}

TEST(netlink_socket, an_unknown_group_or_protocol_is_an_error) {
  EXPECT_TRUE(socket::open(NETLINK_ROUTE, {.groups = {RTNLGRP_LINK}}));
  EXPECT_EQ(socket::open(NETLINK_ROUTE, {.groups = {100'000}}).error().code, std::errc::invalid_argument);
  EXPECT_EQ(socket::open(31).error().code, std::errc::protocol_not_supported);
}

}  // namespace
}  // namespace netlink
