// host_side with -listen=firecracker://PATH: a VMM that offers the virtual sockets of its VM as UNIX sockets.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <optional>
#include <string>

#include "link/handshake/host_side.hpp"
#include "link/handshake/meeting_point.hpp"
#include "link/handshake/phrase.hpp"
#include "link/handshake/vmm_port.hpp"
#include "os/acceptor.hpp"
#include "os/connect.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/support/temp_dir.hpp"

namespace handshake {
namespace {

using namespace std::chrono_literals;

class vmm_port_test : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = meeting_listener::open(net::unix_path{path_});
    ASSERT_TRUE(opened);
    vmm_.emplace(std::move(*opened));
    listening_ = vmm_->duplicate().value();
    auto keep = [](host_side& side, base::unique_fd& into) -> async::task<> { into = co_await side.meet(); };
    loop_.spawn(keep(host_, at_host_));
    ASSERT_NO_FATAL_FAILURE(accept_host());
  }
  void TearDown() override { loop_.stop(); }

  // The connection that host-switch makes to the VMM, with its request.
  void accept_host() {
    ASSERT_TRUE(loop_.run_until([&] {
      if (auto accepted = os::accept_pending(listening_.get())) client_ = std::move(*accepted);
      return static_cast<bool>(client_);
    }));
    ASSERT_TRUE(loop_.run_until([&] { return (said_ += received()).ends_with('\n'); }));
    EXPECT_EQ(said_, "CONNECT 6669\n");
    said_.clear();
  }
  [[nodiscard]] std::string received() {
    std::string text(1000, '\0');
    const auto got = ::recv(client_.get(), text.data(), text.size(), MSG_DONTWAIT);
    closed_ = closed_ || got == 0;
    text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return text;
  }
  [[nodiscard]] bool gives_up() {
    return loop_.run_until([&] { return received().empty() && closed_; });
  }
  // The VM's program has connected to port 6656 of the host.
  [[nodiscard]] bool meets() {
    if (!loop_.run_until([&] { return (said_ += received()).starts_with("READY"); })) return false;
    data_ = os::connect_now({path_ + "_6656"});
    return data_ && loop_.run_until([&] { return static_cast<bool>(at_host_); });
  }

  support::temp_dir directory_;
  std::string path_ = (directory_ / "v.sock").string();
  host_side host_{meeting_point({.kind = links::link_kind::firecracker, .path = path_}), true};
  support::event_loop loop_;
  std::optional<meeting_listener> vmm_;
  base::unique_fd listening_, client_, at_host_;
  base::result<base::unique_fd> data_;
  std::string said_;
  bool closed_ = false;
};

TEST_F(vmm_port_test, the_phrase_follows_the_answer) {
  support::send_all(client_.get(), "OK 1073741824\n" + std::string(network_phrase));
  ASSERT_TRUE(meets());
  support::send_all(data_->get(), "frame");
  char first = 0;
  EXPECT_EQ(::recv(at_host_.get(), &first, 1, MSG_DONTWAIT), 1);
  EXPECT_EQ(first, 'f');
}

TEST_F(vmm_port_test, an_answer_may_come_in_pieces) {
  for (const char c : std::string("OK 1\n")) {
    support::send_all(client_.get(), std::string(1, c));
    loop_.settle();
  }
  support::send_all(client_.get(), std::string(network_phrase));
  EXPECT_TRUE(meets());
}

// Firecracker closes the connection while nothing listens on the port in the VM.
TEST_F(vmm_port_test, after_a_refusal_the_port_is_tried_again) {
  client_.reset();
  loop_.settle();
  loop_.pass_time(host_side::between_tries + 100ms);
  ASSERT_NO_FATAL_FAILURE(accept_host());
  support::send_all(client_.get(), "OK 1\n" + std::string(network_phrase));
  EXPECT_TRUE(meets());
}

TEST_F(vmm_port_test, another_answer_is_refused) {
  support::send_all(client_.get(), std::string(network_phrase));
  EXPECT_TRUE(gives_up());
}

TEST_F(vmm_port_test, an_answer_without_an_end_is_refused) {
  support::send_all(client_.get(), "OK " + std::string(longest_vmm_answer - 3, '1'));
  EXPECT_TRUE(gives_up());
}

TEST_F(vmm_port_test, a_silent_vmm_is_given_up) {
  loop_.pass_time(host_side::phrase_limit + 1s);
  EXPECT_TRUE(gives_up());
}

}  // namespace
}  // namespace handshake
