// The peer of a SOCK_DGRAM link: who is one, and when another takes its place.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <filesystem>
#include <memory>

#include "link/datagram_link.hpp"
#include "net/stream_address.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/link/frames.hpp"

namespace links {
namespace {

// A VM's end of a link: a named socket that sends to the host's.
class datagram_vm {
 public:
  datagram_vm(const std::filesystem::path& own, const std::filesystem::path& host)
      : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)), host_(host) {
    std::filesystem::remove(own);
    const auto at = name(own);
    if (::bind(fd_.get(), at.get(), at.size) != 0) throw std::runtime_error("bind");
  }
  void send(const bytes& frame) const {
    const auto to = name(host_);
    ASSERT_EQ(::sendto(fd_.get(), frame.data(), frame.size(), 0, to.get(), to.size), std::ssize(frame));
  }
  // From then on it takes datagrams of the host alone.
  void connect() const {
    const auto to = name(host_);
    ASSERT_EQ(::connect(fd_.get(), to.get(), to.size), 0);
  }
  // The next frame; empty: none is there.
  [[nodiscard]] bytes receive() const {
    bytes got(70'000);
    const auto size = ::recv(fd_.get(), got.data(), got.size(), MSG_DONTWAIT);
    got.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return got;
  }

 private:
  static net::socket_address name(const std::filesystem::path& path) {
    return net::to_sockaddr(net::stream_address(net::unix_path{path}));
  }
  base::unique_fd fd_;
  std::filesystem::path host_;
};

class datagram_peer_test : public testing::Test {
 protected:
  datagram_peer_test() : link_(bound(at("host"))) {}

  [[nodiscard]] std::filesystem::path at(const char* name) const { return directory_ / name; }
  [[nodiscard]] datagram_vm vm(const char* name) const { return {at(name), at("host")}; }
  static base::unique_fd bound(const std::filesystem::path& path) {
    base::unique_fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto name = net::to_sockaddr(net::stream_address(net::unix_path{path}));
    if (::bind(fd.get(), name.get(), name.size) != 0) throw std::runtime_error("bind");
    return fd;
  }
  // The frames that have arrived.
  std::vector<bytes> arrived() {
    std::vector<bytes> all;
    EXPECT_TRUE(link_.read());
    for (const auto& one : link_.frames()) all.push_back(copy(one.frame));
    return all;
  }
  void send(const bytes& frame) {
    const std::array<bytes_view, 1> parts{frame};
    ASSERT_TRUE(link_.send(parts));
    ASSERT_TRUE(link_.flush());
  }

  support::temp_dir directory_;
  datagram_link link_;
  const bytes one_ = pattern(60, 1), two_ = pattern(70, 2);
};

TEST_F(datagram_peer_test, a_vm_that_was_started_again_with_another_name_is_the_peer) {
  {
    const auto first = vm("first");
    first.send(one_);
    EXPECT_EQ(arrived(), std::vector<bytes>{one_});
  }
  const auto second = vm("second");
  second.send(two_);
  EXPECT_EQ(arrived(), std::vector<bytes>{two_});
  send(one_);
  EXPECT_EQ(second.receive(), one_);
  EXPECT_EQ(link_.counters().strangers, 0U);
}

TEST_F(datagram_peer_test, the_first_one_need_not_have_removed_its_file) {
  {
    const auto first = vm("first");
    first.send(one_);
  }
  EXPECT_TRUE(std::filesystem::exists(at("first")));
  std::filesystem::remove(at("first"));
  const auto second = vm("second");
  second.send(two_);
  EXPECT_EQ(arrived(), (std::vector<bytes>{one_, two_}));
}

TEST_F(datagram_peer_test, a_stranger_does_not_replace_a_peer_that_lives) {
  const auto first = vm("first"), stranger = vm("stranger");
  first.send(one_);
  EXPECT_EQ(arrived(), std::vector<bytes>{one_});
  for (const bool connected : {false, true}) {
    if (connected) first.connect();  // the kernel then refuses all others who ask
    for (int i = 0; i < 5; ++i) stranger.send(two_);
    EXPECT_TRUE(arrived().empty()) << connected;
  }
  EXPECT_EQ(link_.counters().strangers, 10U);
  send(two_);
  EXPECT_EQ(first.receive(), two_);
  EXPECT_TRUE(stranger.receive().empty());
}

TEST_F(datagram_peer_test, what_waits_for_a_peer_that_has_gone_reaches_no_other_vm) {
  {
    const auto first = vm("first");
    first.send(one_);
    EXPECT_EQ(arrived(), std::vector<bytes>{one_});
    for (int i = 0; i < 10'000 && !link_.is_blocked(); ++i) send(one_);
    ASSERT_TRUE(link_.is_blocked());
    EXPECT_GT(link_.backlog(), 0U);
  }
  const auto second = vm("second");
  second.send(two_);
  EXPECT_EQ(arrived(), std::vector<bytes>{two_});
  EXPECT_FALSE(link_.is_blocked());
  EXPECT_EQ(link_.backlog(), 0U);
  EXPECT_GT(link_.counters().dropped, 0U);
  send(two_);
  EXPECT_EQ(second.receive(), two_);
  EXPECT_TRUE(second.receive().empty());
}

// The data plane keeps links of all kinds in one list.
TEST_F(datagram_peer_test, a_link_that_was_moved_reads_and_writes_as_before) {
  const auto first = vm("first");
  first.send(one_);
  EXPECT_EQ(arrived(), std::vector<bytes>{one_});
  auto moved = std::make_unique<datagram_link>(std::move(link_));
  for (int i = 0; i < 3; ++i) {
    first.send(two_);
    ASSERT_EQ(moved->read().value(), 1U);
    EXPECT_EQ(copy(moved->frames()[0].frame), two_);
    const std::array<bytes_view, 1> parts{one_};
    ASSERT_TRUE(moved->send(parts));
    ASSERT_TRUE(moved->flush());
    EXPECT_EQ(first.receive(), one_);
    moved = std::make_unique<datagram_link>(std::move(*moved));
  }
}

TEST_F(datagram_peer_test, a_sender_without_a_name_is_no_peer) {
  const base::unique_fd nameless(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto to = net::to_sockaddr(net::stream_address(net::unix_path{at("host")}));
  ASSERT_EQ(::sendto(nameless.get(), one_.data(), one_.size(), 0, to.get(), to.size), std::ssize(one_));
  EXPECT_TRUE(arrived().empty());
  EXPECT_EQ(link_.counters().strangers, 1U);
}

}  // namespace
}  // namespace links
