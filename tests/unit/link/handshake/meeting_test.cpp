// Both sides of the handshake over UNIX sockets, with each other, with an original, and with peers that mean harm.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <filesystem>
#include <optional>

#include "link/handshake/host_side.hpp"
#include "link/handshake/phrase.hpp"
#include "link/handshake/vm_side.hpp"
#include "os/connect.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/refused_call.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/support/temp_dir.hpp"

namespace handshake {
namespace {

using namespace std::chrono_literals;

class meeting_test : public testing::Test {
 protected:
  void TearDown() override { loop_.stop(); }

  void start_vm() {
    vm_.emplace(loop_.executor(), point_);
    auto keep = [](vm_side& side, std::optional<data_connection>& into) -> async::task<> {
      into = co_await side.meet();
    };
    loop_.spawn(keep(*vm_, at_vm_));
  }
  void start_host(bool offers) {
    host_.emplace(point_, offers);
    auto keep = [](host_side& side, base::unique_fd& into) -> async::task<> { into = co_await side.meet(); };
    loop_.spawn(keep(*host_, at_host_));
  }
  [[nodiscard]] bool met() {
    return loop_.run_until([this] { return at_vm_ && at_host_; });
  }
  // The host's connection to a VM of the test's own, which listens on.
  base::unique_fd accept_host(bool offers) {
    if (auto made = meeting_listener::open(point_.handshake_listener())) listener_.emplace(std::move(*made));
    start_host(offers);
    loop_.settle();
    auto host = os::accept_pending(listener_.value().duplicate().value().get());
    EXPECT_TRUE(host);
    return host ? std::move(*host) : base::unique_fd();
  }
  [[nodiscard]] bool host_listens_for_data() {
    return loop_.run_until([this] { return std::filesystem::exists(path_ + ".data"); });
  }
  // A client of the VM's handshake port, with the VM already listening.
  base::unique_fd connect_guest() {
    EXPECT_TRUE(loop_.run_until([this] { return std::filesystem::exists(path_); }));
    auto made = os::connect_now({path_});
    EXPECT_TRUE(made);
    loop_.settle();
    return std::move(*made);
  }
  // What has arrived, without waiting; nothing at the connection's end.
  static std::optional<std::string> received(const base::unique_fd& fd) {
    std::string text(1000, '\0');
    const auto got = ::recv(fd.get(), text.data(), text.size(), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return std::nullopt;
    text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return text;
  }
  bool closed(const base::unique_fd& fd) {
    return loop_.run_until([&fd] { return !received(fd); });
  }

  support::temp_dir directory_;
  std::string path_ = (directory_ / "link").string();
  meeting_point point_{{.kind = links::link_kind::handshake, .path = path_}};
  support::event_loop loop_;
  std::optional<vm_side> vm_;
  std::optional<host_side> host_;
  std::optional<meeting_listener> listener_;
  std::optional<data_connection> at_vm_;
  base::unique_fd at_host_;
};

TEST_F(meeting_test, the_two_sides_meet_and_nothing_precedes_the_frames) {
  start_vm();
  start_host(true);
  ASSERT_TRUE(met());
  EXPECT_TRUE(at_vm_->offers_offload);
  support::send_all(at_vm_->fd.get(), "frame");
  EXPECT_EQ(received(at_host_), "frame");
  support::send_all(at_host_.get(), "answer");
  EXPECT_EQ(received(at_vm_->fd), "answer");
  EXPECT_FALSE(std::filesystem::exists(path_)) << "the VM has closed its listener";
  EXPECT_FALSE(std::filesystem::exists(path_ + ".data"));
}

TEST_F(meeting_test, either_side_may_come_first) {
  start_host(false);
  loop_.settle();
  start_vm();
  loop_.settle();
  loop_.pass_time(2s);
  ASSERT_TRUE(met());
  EXPECT_FALSE(at_vm_->offers_offload);
}

// The kernel refuses the copy of the listening socket.
constexpr support::refused_call no_descriptor{SYS_fcntl, 1, F_DUPFD_CLOEXEC, EMFILE};

TEST_F(meeting_test, a_vm_out_of_descriptors_tries_again) {
  if (!support::run_without(no_descriptor, [this] { start_vm(), loop_.settle(); })) GTEST_SKIP() << "no seccomp here";
  start_host(true);
  loop_.pass_time(2s);
  EXPECT_TRUE(met());
}

TEST_F(meeting_test, a_host_out_of_descriptors_tries_again) {
  start_vm();
  loop_.settle();
  if (!support::run_without(no_descriptor, [this] { start_host(true), loop_.settle(); })) GTEST_SKIP() << "no seccomp";
  loop_.pass_time(2s);
  EXPECT_TRUE(met());
}

TEST_F(meeting_test, an_original_host_meets_the_vm) {
  start_vm();
  auto first = connect_guest();
  EXPECT_EQ(received(first), network_phrase);
  first.reset();
  auto data = meeting_listener::open(point_.data_listener());
  ASSERT_TRUE(data);
  auto second = connect_guest();
  support::send_all(second.get(), "READY");  // without reading, and closes
  second.reset();
  ASSERT_TRUE(loop_.run_until([this] { return at_vm_.has_value(); }));
  EXPECT_FALSE(at_vm_->offers_offload);
}

TEST_F(meeting_test, an_original_vm_meets_the_host) {
  const auto guest = accept_host(true);
  send_phrase(guest.get(), network_phrase);
  std::string ready;
  ASSERT_TRUE(loop_.run_until([&] { return !(ready += received(guest).value_or("")).empty(); }));
  EXPECT_EQ(ready.substr(0, 5), "READY");
  const auto data = os::connect_now({path_ + ".data"});
  ASSERT_TRUE(data);
  EXPECT_TRUE(loop_.run_until([this] { return static_cast<bool>(at_host_); }));
}

TEST_F(meeting_test, a_silent_host_is_given_up) {
  start_vm();
  const auto silent = connect_guest();
  EXPECT_EQ(received(silent), network_phrase);
  loop_.pass_time(vm_side::patience + 1s);
  EXPECT_TRUE(closed(silent));
  start_host(false);
  EXPECT_TRUE(met()) << "others go on";
}

TEST_F(meeting_test, a_flood_of_silent_hosts_is_bounded) {
  start_vm();
  std::vector<base::unique_fd> flood;
  std::size_t served = 0;
  for (int i = 0; i < 100; ++i) flood.push_back(connect_guest());
  for (const auto& fd : flood) served += received(fd).value_or("").empty() ? 0 : 1;
  EXPECT_EQ(served, vm_side::most_guests);
  loop_.pass_time(vm_side::patience + 1s);
  for (const auto& fd : flood) EXPECT_TRUE(closed(fd));
  start_host(false);
  EXPECT_TRUE(met());
}

TEST_F(meeting_test, a_host_with_another_answer_is_closed_at_once) {
  start_vm();
  const auto other = connect_guest();
  EXPECT_EQ(received(other), network_phrase);
  support::send_all(other.get(), "GET / HTTP/1.1\r\n" + std::string(100'000, 'x'));
  EXPECT_TRUE(closed(other));
}

TEST_F(meeting_test, an_offer_that_never_ends_costs_a_moment) {
  start_vm();
  const auto data = meeting_listener::open(point_.data_listener());
  const auto slow = connect_guest();
  support::send_all(slow.get(), "READY offl");
  loop_.settle();
  EXPECT_FALSE(at_vm_);
  loop_.pass_time(vm_side::offer_patience + 1ms);
  ASSERT_TRUE(loop_.run_until([this] { return at_vm_.has_value(); }));
  EXPECT_FALSE(at_vm_->offers_offload);
}

TEST_F(meeting_test, a_host_without_a_data_port_makes_the_vm_start_over) {
  start_vm();
  {
    const auto liar = connect_guest();
    support::send_all(liar.get(), "READY");
  }
  ASSERT_TRUE(loop_.run_until([this] { return !std::filesystem::exists(path_); }));
  loop_.pass_time(2s);
  ASSERT_TRUE(loop_.run_until([this] { return std::filesystem::exists(path_); }));
  start_host(false);
  EXPECT_TRUE(met());
}

TEST_F(meeting_test, a_vm_with_another_phrase_is_refused) {
  const auto guest = accept_host(true);
  support::send_all(guest.get(), std::string(network_phrase.size(), 'x'));
  EXPECT_TRUE(closed(guest));
  EXPECT_FALSE(std::filesystem::exists(path_ + ".data")) << "no port was opened for it";
}

TEST_F(meeting_test, a_silent_vm_is_given_up) {
  const auto guest = accept_host(true);
  loop_.pass_time(host_side::phrase_limit + 1s);
  EXPECT_TRUE(closed(guest));
}

// What is left of a former VM answers the phrase, but does not connect. The host waits ten seconds for it.
TEST_F(meeting_test, a_missing_data_connection_makes_the_host_start_over) {
  const auto former = accept_host(true);
  send_phrase(former.get(), network_phrase);
  ASSERT_TRUE(host_listens_for_data());
  listener_.reset();
  loop_.pass_time(9s);
  loop_.settle();
  EXPECT_TRUE(std::filesystem::exists(path_ + ".data"));
  loop_.pass_time(1s);
  loop_.settle();
  EXPECT_FALSE(std::filesystem::exists(path_ + ".data"));
  start_vm();
  loop_.settle();
  loop_.pass_time(1s);
  EXPECT_TRUE(met());
}

// ---- More peers that mean harm, or break

TEST_F(meeting_test, ready_in_pieces_is_ready) {
  start_vm();
  const auto data = meeting_listener::open(point_.data_listener());
  ASSERT_TRUE(data);
  const auto host = connect_guest();
  for (const char c : std::string("READY offload=1\n")) {
    support::send_all(host.get(), std::string(1, c));
    loop_.settle();
  }
  ASSERT_TRUE(loop_.run_until([this] { return at_vm_.has_value(); }));
  EXPECT_TRUE(at_vm_->offers_offload);
}

TEST_F(meeting_test, a_host_that_leaves_before_ready_is_no_host) {
  start_vm();
  for (const auto* said : {"", "R", "READ"}) {
    const auto host = connect_guest();
    if (*said != 0) support::send_all(host.get(), said);
    ::shutdown(host.get(), SHUT_WR);
    EXPECT_TRUE(loop_.run_until([&] { return received(host) == std::nullopt; })) << said;
    EXPECT_FALSE(at_vm_);
  }
  start_host(false);
  EXPECT_TRUE(met());
}

TEST_F(meeting_test, of_two_hosts_the_first_that_says_ready_is_taken_and_the_other_closed) {
  start_vm();
  const auto data = meeting_listener::open(point_.data_listener());
  ASSERT_TRUE(data);
  const auto first = connect_guest(), second = connect_guest();
  support::send_all(second.get(), "READY offload=1\n");
  ASSERT_TRUE(loop_.run_until([this] { return at_vm_.has_value(); }));
  EXPECT_TRUE(at_vm_->offers_offload);
  EXPECT_TRUE(closed(first));
  EXPECT_TRUE(os::accept_pending(data->duplicate().value().get()));
}

TEST_F(meeting_test, a_host_that_closes_right_after_the_handshake_five_times_is_met_the_sixth_time) {
  for (int i = 0; i < 6; ++i) {
    at_vm_.reset();
    at_host_.reset();
    start_vm();
    loop_.settle();
    start_host(true);
    ASSERT_TRUE(met()) << i;
    at_host_.reset();
    EXPECT_FALSE(received(at_vm_->fd)) << "the VM sees the end";
  }
}

TEST_F(meeting_test, a_phrase_in_pieces_is_the_phrase_and_what_follows_is_not_read) {
  const auto guest = accept_host(false);
  for (const char c : network_phrase.substr(0, network_phrase.size() - 1)) {
    support::send_all(guest.get(), std::string(1, c));
    loop_.settle();
  }
  support::send_all(guest.get(), network_phrase.back() + std::string(1'000, 'x'));
  ASSERT_TRUE(host_listens_for_data());
  const auto data = os::connect_now({path_ + ".data"});
  ASSERT_TRUE(data);
  EXPECT_TRUE(loop_.run_until([this] { return static_cast<bool>(at_host_); }));
}

TEST_F(meeting_test, a_vm_that_leaves_within_its_phrase_is_looked_for_again_after_a_second) {
  auto listener = meeting_listener::open(point_.handshake_listener());
  ASSERT_TRUE(listener);
  const auto copy = listener->duplicate().value();
  start_host(false);
  for (int i = 0; i < 3; ++i) {
    loop_.settle();
    auto guest = os::accept_pending(copy.get());
    ASSERT_TRUE(guest) << i;
    support::send_all(guest->get(), network_phrase.substr(0, 10));
    guest->reset();
    loop_.settle();
    loop_.pass_time(900ms);
    loop_.settle();
    EXPECT_FALSE(os::accept_pending(copy.get())) << "it does not hurry";
    loop_.pass_time(100ms);
    ASSERT_TRUE(loop_.run_until([&] {
      pollfd waiting{copy.get(), POLLIN, 0};
      return ::poll(&waiting, 1, 0) == 1;
    }));
  }
}

TEST_F(meeting_test, one_data_connection_is_taken_and_no_second_one) {
  const auto guest = accept_host(false);
  send_phrase(guest.get(), network_phrase);
  ASSERT_TRUE(host_listens_for_data());
  const auto first = os::connect_now({path_ + ".data"});
  ASSERT_TRUE(first);
  ASSERT_TRUE(loop_.run_until([this] { return static_cast<bool>(at_host_); }));
  EXPECT_FALSE(os::connect_now({path_ + ".data"})) << "the listener has gone";
  support::send_all(first->get(), "frame");
  EXPECT_EQ(received(at_host_), "frame");
}

// The directory is open to all, so the sockets alone keep the other user out.
TEST_F(meeting_test, another_user_can_use_neither_socket) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  std::filesystem::permissions(directory_.path(), std::filesystem::perms(0755));
  const auto handshake = meeting_listener::open(point_.handshake_listener());
  const auto data = meeting_listener::open(point_.data_listener());
  ASSERT_TRUE(handshake && data);
  const support::netns elsewhere("handshake-user");
  elsewhere.run(
      [this] {
        for (const auto& path : {path_, path_ + ".data"})
          EXPECT_EQ(os::connect_now({path}).error().code, std::errc::permission_denied) << path;
      },
      support::unprivileged);
}

}  // namespace
}  // namespace handshake
