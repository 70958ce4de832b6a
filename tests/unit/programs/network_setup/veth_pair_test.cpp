// In a namespace that stands for the default one; needs root.
#include "programs/network_setup/veth_pair.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <system_error>

#include "kernel/netlink/interface.hpp"
#include "kernel/netlink/interface_addresses.hpp"
#include "os/namespaces.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/netns.hpp"

namespace network_setup {
namespace {

using namespace std::chrono_literals;

class veth_pair_test : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    default_.emplace("veth-default");
    inside_.emplace(*default_);
    auto made = os::make_net_namespace();
    ASSERT_TRUE(made) << made.error().message();
    engine_ = std::move(*made);
  }
  void TearDown() override {
    loop_.stop();
    inside_.reset();
  }
  void keep() {
    ASSERT_TRUE(make_veth_pair(engine_.get()));
    keeper_.emplace(engine_.get());
    loop_.spawn(keeper_->run(loop_.executor()));
    loop_.settle();
  }
  [[nodiscard]] static unsigned index() {
    const auto found = netlink::find_interface("veth-rd-wsl");
    return found ? found->index : 0;
  }
  // Both ends are there and up.
  [[nodiscard]] bool is_complete() const {
    const auto ours = netlink::find_interface("veth-rd-wsl");
    bool theirs = false;
    const auto looked = os::in_net_namespace(engine_.get(), [&]() -> base::result<> {
      const auto found = netlink::find_interface("veth-rd-ns");
      theirs = found && found->up;
      return {};
    });
    return looked && ours && ours->up && theirs;
  }

  std::optional<support::netns> default_;
  std::optional<support::inside> inside_;
  base::unique_fd engine_;
  std::optional<veth_keeper> keeper_;
  support::event_loop loop_;
};

TEST_F(veth_pair_test, is_made_and_removed) {
  ASSERT_TRUE(make_veth_pair(engine_.get()));
  EXPECT_TRUE(is_complete());
  const auto before = index();
  EXPECT_TRUE(make_veth_pair(engine_.get())) << "in the place of a left-over one";
  EXPECT_NE(index(), before);
  EXPECT_TRUE(remove_veth_pair());
  EXPECT_EQ(index(), 0U);
  EXPECT_TRUE(remove_veth_pair());
}

// In text, such as "192.0.2.1/24".
std::optional<std::string> ipv4_of(const char* interface) {
  for (const auto& one : netlink::addresses_of(interface).value())
    if (one.ip.is_v4()) return one.ip.to_string() + "/" + std::to_string(one.prefix_length);
  return std::nullopt;
}

TEST_F(veth_pair_test, both_ends_have_the_addresses_that_wsl_proxy_and_the_agent_expect) {
  ASSERT_TRUE(make_veth_pair(engine_.get()));
  EXPECT_EQ(ipv4_of("veth-rd-wsl"), "192.168.143.2/24");
  EXPECT_TRUE(os::in_net_namespace(engine_.get(), []() -> base::result<> {
    EXPECT_EQ(ipv4_of("veth-rd-ns"), "192.168.143.1/24");
    return {};
  }));
}

TEST_F(veth_pair_test, is_made_again_when_another_program_removes_it) {
  keep();
  const auto first = index();
  loop_.settle();
  EXPECT_EQ(index(), first) << "nothing has happened";
  ASSERT_TRUE(netlink::remove_interface("veth-rd-wsl"));
  EXPECT_TRUE(loop_.run_until([this] { return is_complete(); }));
  ASSERT_TRUE(os::in_net_namespace(engine_.get(), [] { return netlink::remove_interface("veth-rd-ns"); }));
  EXPECT_TRUE(loop_.run_until([this] {
    loop_.pass_time(1s);
    return is_complete();
  })) << "the other end";
}

// Two programs that remove each other's pair must not do so without a pause.
TEST_F(veth_pair_test, is_made_again_after_a_growing_pause) {
  keep();
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(netlink::remove_interface("veth-rd-wsl"));
    ASSERT_TRUE(loop_.run_until([this] {
      loop_.pass_time(1s);
      return is_complete();
    }));
  }
  loop_.settle();
  ASSERT_TRUE(netlink::remove_interface("veth-rd-wsl"));
  loop_.settle();
  EXPECT_EQ(index(), 0U) << "the pause is more than a second now";
  loop_.pass_time(5s);
  EXPECT_TRUE(loop_.run_until([this] { return is_complete(); }));
}

TEST_F(veth_pair_test, a_failure_is_followed_by_another_try) {
  const auto engine = engine_.release();
  const base::unique_fd copy(::fcntl(engine, F_DUPFD_CLOEXEC, 0));
  const base::unique_fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_GE(::dup3(null.get(), engine, O_CLOEXEC), 0);  // not a namespace any more
  engine_.reset(engine);
  keeper_.emplace(engine);
  loop_.spawn(keeper_->run(loop_.executor()));
  loop_.settle();
  EXPECT_EQ(index(), 0U);
  ASSERT_GE(::dup3(copy.get(), engine, O_CLOEXEC), 0);
  EXPECT_TRUE(loop_.run_until([this] {
    loop_.pass_time(1s);
    return is_complete();
  }));
}

TEST_F(veth_pair_test, may_go_when_the_program_stops) {
  keep();
  keeper_->let_go();
  ASSERT_TRUE(remove_veth_pair());
  loop_.settle();
  loop_.pass_time(10s);
  loop_.settle();
  EXPECT_EQ(index(), 0U);
}

}  // namespace
}  // namespace network_setup
