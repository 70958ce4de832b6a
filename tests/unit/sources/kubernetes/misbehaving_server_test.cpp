// API servers that misbehave, each in its way, while Services come and go: the source keeps its last ports, and is
// right again in a bounded time after the server is.
#include <utility>

#include "tests/support/eventually.hpp"
#include "tests/support/hanging_directory.hpp"
#include "tests/unit/sources/kubernetes/kubernetes_fixture.hpp"

namespace kubernetes {
namespace {

using fault = fake_kubernetes::fault;

// A server that is well again is asked within two seconds, however long it was ill.
constexpr auto asked_again = 2s;
constexpr std::chrono::milliseconds short_deadline{50};

struct misbehaviour {
  const char* name;
  void (*begin)(fake_kubernetes&);
  void (*end)(fake_kubernetes&);
  async::clock::duration unnoticed = 0s;  // passes before it shows
};
std::ostream& operator<<(std::ostream& to, const misbehaviour& m) { return to << m.name; }

template <fault What>
constexpr misbehaviour suffers(const char* name) {
  return {name, [](fake_kubernetes& api) { api.suffer(What); }, [](fake_kubernetes& api) { api.suffer(fault::none); }};
}
template <int Status>
constexpr misbehaviour answers(const char* name) {
  return {name, [](fake_kubernetes& api) { api.answer_with(Status, "apiserver not ready"); },
          [](fake_kubernetes& api) { api.answer_with(0); }};
}

class misbehaving_server_test : public kubernetes_source_test, public testing::WithParamInterface<misbehaviour> {
 protected:
  void SetUp() override {
    publish_node_port("old", 30'001);
    publish_node_port("stays", 30'002);
    start_both({.deadline = short_deadline, .page = 1});
    ASSERT_TRUE(publishes({30'001, 30'002}));
  }
  // The server is ill, the watch that it had ends, and meanwhile one Service goes and one comes.
  void fall_ill() {
    GetParam().begin(*api_);
    api_->remove("old");
    publish_node_port("new", 30'003);
    api_->end_watches();
    loop_.pass_time(GetParam().unnoticed);
  }
  [[nodiscard]] bool is_right_soon() {
    loop_.settle();
    loop_.pass_time(asked_again);
    return loop_.run_until([this] { return feed_.host_ports() == port_set{30'002, 30'003} && !feed_.trouble; });
  }
};
INSTANTIATE_TEST_SUITE_P(
    server, misbehaving_server_test,
    testing::Values(
        suffers<fault::closes_at_once>("closes"), suffers<fault::cuts_lists>("breaks_lists_off"),
        suffers<fault::stalls_in_lists>("falls_silent_in_lists"), suffers<fault::cuts_watches>("breaks_watches_off"),
        misbehaviour{"hangs", [](fake_kubernetes& api) { api.hang(true); },
                     [](fake_kubernetes& api) { api.hang(false); }},
        misbehaviour{"refuses", [](fake_kubernetes& api) { api.stop(); }, [](fake_kubernetes& api) { api.start(); }},
        misbehaviour{"is_silent_in_watches", [](fake_kubernetes& api) { api.freeze_watches(true); },
                     [](fake_kubernetes& api) { api.freeze_watches(false); }, 136s},
        misbehaviour{"is_gone_as_a_status", [](fake_kubernetes& api) { api.gone_for_watches(410); },
                     [](fake_kubernetes& api) { api.gone_for_watches(0); }},
        misbehaviour{"is_gone_as_an_event", [](fake_kubernetes& api) { api.gone_for_watches(200); },
                     [](fake_kubernetes& api) { api.gone_for_watches(0); }},
        misbehaviour{"has_another_history", [](fake_kubernetes& api) { api.cut_next_event(); },
                     [](fake_kubernetes& api) { api.send_raw("}{\n"); }},
        answers<503>("is_not_ready"), answers<500>("fails"), answers<429>("is_busy"), answers<403>("forbids"),
        answers<404>("knows_no_services"), answers<301>("redirects"), answers<200>("says_no_list")),
    [](const auto& one) { return one.param.name; });

TEST_P(misbehaving_server_test, is_asked_again_in_time) {
  fall_ill();
  loop_.run_until([this] { return feed_.trouble.has_value(); }, 300ms);  // some show at once, some are no trouble
  ASSERT_TRUE(feed_.last);
  EXPECT_TRUE(feed_.host_ports()->contains(30'002)) << "the last ports stay";
  GetParam().end(*api_);
  EXPECT_TRUE(is_right_soon()) << (feed_.trouble ? feed_.trouble->message() : "no trouble");
}

TEST_P(misbehaving_server_test, is_followed_to_the_end_when_it_falls_ill_again_and_again) {
  for (int i = 0; i < 3; ++i) {
    GetParam().begin(*api_);
    api_->end_watches();
    loop_.pass_time(GetParam().unnoticed);
    loop_.settle();
    GetParam().end(*api_);
  }
  fall_ill();
  GetParam().end(*api_);
  EXPECT_TRUE(is_right_soon()) << (feed_.trouble ? feed_.trouble->message() : "no trouble");
}

// Some proxies, and servers that end, close after each answer. That is no trouble, and no reason to list anew.
TEST_F(kubernetes_source_test, a_server_that_closes_after_each_answer_is_followed) {
  for (const auto how : {fault::closes_politely, fault::closes_abruptly}) {
    api_ = std::make_unique<fake_kubernetes>();
    feed_ = {};
    api_->suffer(how);
    for (std::uint16_t i = 0; i < 5; ++i) publish_node_port("s" + std::to_string(i), 30'000 + i);
    start_both({.page = 2});
    ASSERT_TRUE(publishes({30'000, 30'001, 30'002, 30'003, 30'004}));
    EXPECT_EQ(api_->pages(), 3U);
    for (std::uint16_t i = 0; i < 3; ++i) {
      api_->remove("s" + std::to_string(i));
      EXPECT_TRUE(loop_.run_until([&] { return !feed_.host_ports()->contains(30'000 + i); })) << i;
      const auto watches = api_->watches();
      api_->end_watches();
      ASSERT_TRUE(loop_.run_until([&] { return api_->watches() > watches && api_->watching() == 1; }));
    }
    EXPECT_EQ(feed_.host_ports(), (port_set{30'003, 30'004}));
    EXPECT_EQ(api_->lists(), 1U);
    EXPECT_EQ(feed_.troubles, 0U);
    loop_.stop();
    api_->stop();
  }
}

// The control thread serves everything, a signal to stop too.
TEST_F(kubernetes_source_test, a_token_on_a_file_system_that_hangs_delays_nothing) {
  support::hanging_directory dead;
  if (!dead.there()) GTEST_SKIP() << "needs root, and FUSE";
  publish_node_port("a", 30'001);
  api_->start();
  auto text = api_->kubeconfig(nullptr, "x");
  write_config(text.replace(text.find("token: x"), 8, "tokenFile: " + (dead.path() / "token").string()));
  start_source();
  const auto begin = std::chrono::steady_clock::now();
  loop_.settle();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 900ms) << "less than the file's own deadline";
  EXPECT_TRUE(is_degraded("tokenFile: " + (dead.path() / "token").string() + ": its file system does not answer"));
  write_config(api_->kubeconfig());
  EXPECT_TRUE(publishes({30'001})) << "another kubeconfig is read at once";
}

// While the cluster is followed, a token that cannot be read again is no reason to lose it.
TEST_F(kubernetes_source_test, a_kubeconfig_whose_file_system_hangs_later_is_still_good) {
  support::hanging_directory dead;
  if (!dead.there()) GTEST_SKIP() << "needs root, and FUSE";
  std::ofstream(directory_ / "token") << "t";
  publish_node_port("a", 30'001);
  api_->start();
  auto text = api_->kubeconfig(nullptr, "x");
  write_config(text.replace(text.find("token: x"), 8, "tokenFile: token"));
  start_source();
  ASSERT_TRUE(publishes({30'001}));
  std::filesystem::remove(directory_ / "token");
  std::filesystem::create_symlink(dead.path() / "token", directory_ / "token");
  loop_.pass_time(61s);
  publish_node_port("b", 30'002);
  EXPECT_TRUE(publishes({30'001, 30'002}));
  EXPECT_FALSE(feed_.trouble);
}

TEST_F(kubernetes_source_test, a_kubeconfig_on_a_file_system_that_hangs_is_awaited) {
  support::hanging_directory dead;
  if (!dead.there()) GTEST_SKIP() << "needs root, and FUSE";
  publish_node_port("a", 30'001);
  api_->start();
  write_config(api_->kubeconfig());
  std::filesystem::create_symlink(dead.path() / "k3s.yaml", directory_ / "link");
  kubernetes_options o{.kubeconfig = directory_ / "link"};
  source_ = std::make_unique<kubernetes_source>(loop_.executor(), o);
  loop_.spawn(source_->run(feed_));
  EXPECT_TRUE(is_degraded("link: its file system does not answer"));
  std::filesystem::remove(directory_ / "link");
  std::filesystem::create_symlink(config(), directory_ / "link");
  dead.release();
  EXPECT_TRUE(support::eventually(10s, [this] {
    loop_.pass_time(6s);
    return loop_.run_until([this] { return feed_.host_ports() == port_set{30'001}; }, 100ms);
  }));
}

}  // namespace
}  // namespace kubernetes
