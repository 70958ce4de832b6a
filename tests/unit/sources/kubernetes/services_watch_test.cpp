#include "sources/kubernetes/services_watch.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "tests/support/event_loop.hpp"
#include "tests/support/fake_kubernetes.hpp"
#include "tests/support/temp_dir.hpp"

namespace kubernetes {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using port_set = std::set<std::uint16_t>;

class services_watch_test : public testing::Test {
 protected:
  void TearDown() override {
    loop_.stop();
    server_.stop();
  }
  void connect() {
    server_.start();
    std::ofstream(directory_ / "config") << server_.kubeconfig();
    kubeconfig_reader config(directory_ / "config");
    auto access = loop_.run(config.read());
    ASSERT_TRUE(access) << access.error().message();
    ASSERT_TRUE(loop_.run(client_.open_connection(std::move(*access))));
  }
  void start() {
    watch_.restart();
    loop_.spawn(run(*this));
  }
  static async::task<> run(services_watch_test& self) { self.ended_ = co_await self.watch_.run(); }
  [[nodiscard]] bool has(const port_set& ports) {
    return loop_.run_until([&] {
      port_set now;
      for (const auto& b : services_.snapshot().bindings) now.insert(b.host_port);
      return watch_.listed() && now == ports;
    });
  }

  support::event_loop loop_;
  support::temp_dir directory_;
  support::fake_kubernetes server_;
  service_set services_{net::address::any_v4()};
  async::condition changed_{loop_.executor()};
  api_client client_{5s};
  services_watch watch_{client_, services_, changed_, {5s, 120s, 15s, 60s, 2}};
  std::optional<base::error> ended_;
};

TEST_F(services_watch_test, lists_in_pages_and_applies_the_events_that_follow) {
  for (const long port : {30'001, 30'002, 30'003})
    server_.put({.name = "s" + std::to_string(port), .ports = {{80, port}}});
  connect();
  EXPECT_FALSE(watch_.listed());
  start();
  EXPECT_TRUE(has({30'001, 30'002, 30'003}));
  EXPECT_EQ(server_.pages(), 2U);
  server_.put({.name = "new", .ports = {{80, 30'004}}});
  server_.remove("s30001");
  EXPECT_TRUE(has({30'002, 30'003, 30'004}));
  EXPECT_EQ(server_.lists(), 1U);
  EXPECT_FALSE(ended_);
}

TEST_F(services_watch_test, a_watch_that_ends_in_good_order_continues_without_a_list) {
  connect();
  start();
  ASSERT_TRUE(loop_.run_until([&] { return server_.watching() == 1; }));
  server_.end_watches();
  server_.put({.name = "new", .ports = {{80, 30'001}}});
  EXPECT_TRUE(has({30'001}));
  EXPECT_EQ(server_.lists(), 1U);
}

TEST_F(services_watch_test, a_version_that_is_gone_leads_to_a_list) {
  connect();
  start();
  ASSERT_TRUE(loop_.run_until([&] { return server_.watching() == 1; }));
  server_.gone_for_watches(410);
  server_.end_watches();
  ASSERT_TRUE(loop_.run_until([&] { return server_.lists() >= 2; }));
  server_.gone_for_watches(0);
  EXPECT_TRUE(loop_.run_until([&] { return server_.watching() == 1; }));
  EXPECT_FALSE(ended_);
}

TEST_F(services_watch_test, any_other_failure_ends_it_with_the_reason) {
  connect();
  server_.answer_with(403, "forbidden");
  start();
  ASSERT_TRUE(loop_.run_until([&] { return ended_.has_value(); }));
  EXPECT_THAT(ended_->message(), HasSubstr("403: forbidden"));
  EXPECT_FALSE(watch_.listed()) << "an error is not an empty list";
}

TEST_F(services_watch_test, a_restart_keeps_the_services_and_waits_for_a_list) {
  server_.put({.name = "a", .ports = {{80, 30'001}}});
  connect();
  start();
  ASSERT_TRUE(has({30'001}));
  watch_.restart();
  EXPECT_FALSE(watch_.listed());
  EXPECT_EQ(services_.snapshot().bindings.size(), 1U);
}

}  // namespace
}  // namespace kubernetes
