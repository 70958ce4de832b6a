#include "os/acceptor.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <vector>

#include "net/stream_address.hpp"
#include "os/claimed_unix_path.hpp"
#include "os/connect.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/loopback_socket.hpp"
#include "tests/support/refused_call.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/support/temp_dir.hpp"

namespace os {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// Lowers the limit of descriptors to those in use, while it lives.
class no_descriptors_left {
 public:
  no_descriptors_left() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const base::unique_fd next(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    rlimit now = before_;
    now.rlim_cur = static_cast<rlim_t>(next.get());
    ::setrlimit(RLIMIT_NOFILE, &now);
  }
  no_descriptors_left(const no_descriptors_left&) = delete;
  no_descriptors_left& operator=(const no_descriptors_left&) = delete;
  ~no_descriptors_left() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

async::task<> accept_all(acceptor* from, std::vector<accepted>* into) {
  while (true) into->push_back(co_await from->accept());
}

class acceptor_test : public testing::Test {
 protected:
  void SetUp() override {
    auto listening = support::listen_on_loopback();
    at_ = {net::address::loopback_v4(), listening.port};
    listening_ = listening.fd.get();
    from_.emplace(loop_.executor(), std::move(listening.fd), "test");
    loop_.spawn(accept_all(&*from_, &accepted_));
  }
  void TearDown() override { loop_.stop(); }
  [[nodiscard]] base::unique_fd connect() const { return support::connected_socket(SOCK_STREAM, at_); }

  net::endpoint at_;
  int listening_ = -1;
  std::vector<accepted> accepted_;
  support::event_loop loop_;
  std::optional<socket_acceptor> from_;
};

TEST_F(acceptor_test, gives_each_connection_with_its_peer) {
  const auto first = connect();
  ASSERT_TRUE(loop_.run_until([&] { return accepted_.size() == 1; }));
  const auto second = connect();
  ASSERT_TRUE(loop_.run_until([&] { return accepted_.size() == 2; }));
  EXPECT_EQ(accepted_[0].peer, support::local_endpoint(first.get()));
  EXPECT_EQ(accepted_[1].peer, support::local_endpoint(second.get()));
  EXPECT_NE(::fcntl(accepted_[0].fd.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(accepted_[0].fd.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(acceptor_test, a_flood_leaves_others_their_turn) {
  std::vector<base::unique_fd> flood;
  for (int i = 0; i < 100; ++i) flood.push_back(connect());
  std::size_t accepted_at_the_turn = 0;
  ASSERT_TRUE(loop_.run_until([&] { return !accepted_.empty(); }));
  accepted_at_the_turn = accepted_.size();
  EXPECT_LT(accepted_at_the_turn, 100U);
  EXPECT_TRUE(loop_.run_until([&] { return accepted_.size() == 100; }));
}

TEST_F(acceptor_test, out_of_descriptors_it_pauses_and_logs_begin_and_end) {
  loop_.settle();  // now it waits for a connection
  const auto client = connect();
  testing::internal::CaptureStderr();
  {
    const no_descriptors_left now;
    EXPECT_FALSE(loop_.run_until([&] { return !accepted_.empty(); }, 3 * accept_pause));
  }
  EXPECT_TRUE(loop_.run_until([&] { return accepted_.size() == 1; }));
  const auto log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("WARN test: accept failed, retrying reason="));
  EXPECT_THAT(log, HasSubstr("INFO test: accept failed ended"));
  EXPECT_EQ(std::ranges::count(log, '\n'), 2) << log;
}

TEST_F(acceptor_test, a_cancelled_wait_ends) {
  loop_.settle();
  loop_.stop();
  EXPECT_TRUE(accepted_.empty());
}

TEST(accept_pending, tells_an_empty_queue_from_a_shortage) {
  const auto listening = support::listen_on_loopback();
  EXPECT_EQ(accept_pending(listening.fd.get()).error().code, std::errc::operation_would_block);
  const auto client = support::connected_socket(SOCK_STREAM, {net::address::loopback_v4(), listening.port});
  {
    const no_descriptors_left now;
    EXPECT_EQ(accept_pending(listening.fd.get()).error().code, std::errc::too_many_files_open);
  }
  EXPECT_TRUE(accept_pending(listening.fd.get()));
}

// Such an error may concern the one connection, so some are skipped; a sandbox may give it for every one.
TEST(accept_pending, an_error_that_never_ends_is_reported) {
  const auto listening = support::listen_on_loopback();
  const auto client = support::connected_socket(SOCK_STREAM, {net::address::loopback_v4(), listening.port});
  base::result<base::unique_fd> got = base::unique_fd();
  const auto listener = static_cast<std::uint32_t>(listening.fd.get());
  if (!support::run_without({__NR_accept4, 0, listener, EPERM}, [&] { got = accept_pending(listening.fd.get()); }))
    GTEST_SKIP() << "the kernel takes no filter";
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, std::errc::operation_not_permitted);
}

TEST(socket_acceptor, a_blocking_socket_does_not_block_the_loop) {
  const auto listening = support::bound_socket(SOCK_STREAM, {net::address::loopback_v4(), 0});
  support::event_loop loop;
  socket_acceptor from(loop.executor(), base::unique_fd(::dup(listening.get())), "test");
  std::vector<accepted> all;
  loop.spawn(accept_all(&from, &all));
  loop.settle();
  const auto client = support::connected_socket(SOCK_STREAM, support::local_endpoint(listening.get()));
  EXPECT_TRUE(loop.run_until([&] { return all.size() == 1; }));
  loop.stop();
}

TEST(socket_acceptor, a_unix_client_has_no_endpoint) {
  const support::temp_dir directory;
  auto file = claimed_unix_path::claim(directory / "x.sock");
  ASSERT_TRUE(file) << file.error().message();
  support::event_loop loop;
  socket_acceptor from(loop.executor(), base::unique_fd(::dup(file->fd())), "test");
  const auto client = connect_now({file->path()});
  ASSERT_TRUE(client);
  const auto made = loop.run(from.accept());
  EXPECT_TRUE(made.fd);
  EXPECT_EQ(made.peer, std::nullopt);
}

}  // namespace
}  // namespace os
