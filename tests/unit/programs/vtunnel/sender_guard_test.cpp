// Against the kernel's rules, in a namespace.
#include "programs/vtunnel/sender_guard.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>

#include <csignal>
#include <optional>

#include "os/acceptor.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/socket_peer.hpp"

namespace vtunnel {
namespace {

using support::eventually;

const net::endpoint entrance{net::address::loopback_v4(), 3030};

class sender_guard_test : public testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);  // as every program of ours does
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    machine_.emplace("sender-guard");
    machine_->run([this] {
      listener_ = support::bound_socket(SOCK_STREAM, {net::address::any_v4(), entrance.port});
      ::fcntl(listener_.get(), F_SETFL, O_NONBLOCK);
    });
  }
  // Runs in the namespace, whose rules the guard sets and reads.
  template <class Steps>
  void inside(Steps steps) const {
    machine_->run(steps);
  }
  [[nodiscard]] base::unique_fd connect(uid_t user = 0) const {
    return machine_->run(
        [] {
          base::unique_fd fd = support::make_socket(SOCK_STREAM, entrance.ip);
          const auto at = net::to_sockaddr(entrance);
          if (::connect(fd.get(), at.get(), at.size) != 0) fd.reset();
          return fd;
        },
        user);
  }
  [[nodiscard]] base::unique_fd accept() const {
    base::unique_fd got;
    EXPECT_TRUE(eventually([&] {
      auto one = os::accept_pending(listener_.get());
      if (one) got = std::move(*one);
      return one.has_value();
    }));
    return got;
  }
  // Accepts a client that has sent something and closed, as an agent does.
  [[nodiscard]] base::unique_fd accept_closed(uid_t user = 0) const {
    {
      const auto client = connect(user);
      EXPECT_TRUE(client);
      support::send_all(client.get(), "x");
    }
    auto server = accept();
    pollfd ended{server.get(), POLLRDHUP, 0};
    EXPECT_EQ(::poll(&ended, 1, 10'000), 1);
    return server;
  }
  void expect_only_a_present_client_of_ours(const sender_guard& guard) const {
    EXPECT_FALSE(guard.admits(accept_closed().get()));
    const auto own = connect();
    EXPECT_TRUE(guard.admits(accept().get()));
    const auto foreign = connect(support::unprivileged);
    ASSERT_TRUE(foreign);
    EXPECT_FALSE(guard.admits(accept().get()));
  }
  // The same rule as the guard's: what another program, or a crash, does to it.
  static netfilter::endpoint_guard rule() {
    return netfilter::endpoint_guard(
        {"vtunnel_peer_127_0_0_1_3030", "vtunnel-peer:user=0", entrance, netfilter::guarded::other_users, 0});
  }

  std::optional<support::netns> machine_;
  base::unique_fd listener_;
};

TEST_F(sender_guard_test, with_the_rule_a_client_may_be_gone_and_another_user_is_refused) {
  inside([this] {
    sender_guard guard(entrance);
    guard.stand_before(listener_.get());
    EXPECT_TRUE(rule().is_up().value());
    EXPECT_TRUE(guard.admits(accept_closed().get()));
    EXPECT_FALSE(connect(support::unprivileged)) << "the rule rejects it";
    const auto open = connect();
    EXPECT_TRUE(guard.admits(accept().get()));
  });
}

TEST_F(sender_guard_test, a_client_from_before_the_rule_is_reset) {
  inside([this] {
    sender_guard guard(entrance);
    const auto early = connect(support::unprivileged);
    ASSERT_TRUE(early);
    guard.stand_before(listener_.get());
    EXPECT_TRUE(support::is_reset(early));
    EXPECT_EQ(os::accept_pending(listener_.get()).error().code, std::errc::operation_would_block);
  });
}

TEST_F(sender_guard_test, before_the_rule_only_a_client_that_is_there_is_admitted) {
  inside([this] {
    const sender_guard guard(entrance);
    expect_only_a_present_client_of_ours(guard);
  });
}

TEST_F(sender_guard_test, a_rule_that_another_program_removes_is_missed_at_once) {
  inside([this] {
    sender_guard guard(entrance);
    guard.stand_before(listener_.get());
    const auto before = accept_closed();
    ASSERT_TRUE(rule().remove());
    EXPECT_FALSE(guard.admits(before.get()));
    EXPECT_FALSE(guard.admits(accept_closed(support::unprivileged).get()));
    const auto open = connect();
    EXPECT_TRUE(guard.admits(accept().get()));
  });
}

TEST_F(sender_guard_test, restores_its_rule_and_does_not_trust_those_who_came_meanwhile) {
  inside([this] {
    sender_guard guard(entrance);
    guard.stand_before(listener_.get());
    support::event_loop loop;
    loop.spawn(guard.keep());
    loop.settle();
    ASSERT_TRUE(rule().remove());
    const auto meanwhile = accept_closed(support::unprivileged);
    EXPECT_TRUE(loop.run_until([] { return rule().is_up().value_or(false); }));
    EXPECT_FALSE(guard.admits(meanwhile.get()));
    EXPECT_FALSE(connect(support::unprivileged));
  });
}

TEST_F(sender_guard_test, a_wildcard_has_no_rule_and_a_warning) {
  testing::internal::CaptureStderr();
  inside([this] {
    sender_guard guard({net::address::any_v4(), entrance.port});
    guard.stand_before(listener_.get());
    expect_only_a_present_client_of_ours(guard);
  });
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::AllOf(testing::HasSubstr("no rule for senders"), testing::HasSubstr("at=0.0.0.0:3030")));
}

TEST_F(sender_guard_test, takes_its_rule_with_it) {
  inside([this] {
    {
      sender_guard guard(entrance);
      guard.stand_before(listener_.get());
      ASSERT_TRUE(rule().is_up().value());
    }
    EXPECT_FALSE(rule().is_up().value());
    EXPECT_TRUE(connect(support::unprivileged));
  });
}

}  // namespace
}  // namespace vtunnel
