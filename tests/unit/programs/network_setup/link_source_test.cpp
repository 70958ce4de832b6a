#include "programs/network_setup/link_source.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>

#include "os/acceptor.hpp"
#include "os/claimed_unix_path.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/temp_dir.hpp"

namespace network_setup {
namespace {

using namespace std::chrono_literals;
using connection = base::result<handshake::data_connection>;

class link_source_test : public testing::Test {
 protected:
  void TearDown() override { loop_.stop(); }
  void start(link_source& source) {
    auto keep = [](link_source& from, std::optional<connection>& into) -> async::task<> {
      into.emplace(co_await from.next());
    };
    loop_.spawn(keep(source, next_));
  }

  support::temp_dir directory_;
  support::event_loop loop_;
  std::optional<connection> next_;
};

TEST_F(link_source_test, connects_to_a_unix_socket_each_time_and_waits_for_it) {
  const auto path = (directory_ / "host").string();
  auto source = link_source::open(loop_.executor(), {.kind = links::link_kind::unix_stream, .path = path});
  ASSERT_TRUE(source);
  for (int i = 0; i < 2; ++i) {
    next_.reset();
    start(*source);
    loop_.settle();
    EXPECT_FALSE(next_) << "no host yet";
    const auto host = os::claimed_unix_path::claim(path);
    ASSERT_TRUE(host);
    ASSERT_TRUE(loop_.run_until([this] { return next_.has_value(); }));
    EXPECT_TRUE(*next_ && (*next_)->offers_offload);
    EXPECT_TRUE(os::accept_pending(host->fd()));
  }
}

TEST_F(link_source_test, a_descriptor_is_used_once) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const base::unique_fd peer(ends[1]);
  auto source = link_source::open(
      loop_.executor(),
      {.kind = links::link_kind::descriptor, .path = {}, .number = static_cast<std::uint32_t>(ends[0])});
  ASSERT_TRUE(source);
  const auto first = loop_.run(source->next());
  ASSERT_TRUE(first);
  EXPECT_GE(first->fd.get(), 0);
  EXPECT_FALSE(loop_.run(source->next())) << "it has ended";
}

TEST_F(link_source_test, other_framings_than_vm_switchs_are_refused) {
  for (const auto kind : {links::link_kind::qemu, links::link_kind::unix_datagram})
    EXPECT_FALSE(link_source::open(loop_.executor(), {.kind = kind, .path = "/x"}));
}

}  // namespace
}  // namespace network_setup
