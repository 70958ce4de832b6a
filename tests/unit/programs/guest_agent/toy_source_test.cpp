// A new source needs its own code and the lines that connect it, which are those of SetUp here. No other file of the
// agent knows it: not the policy, the state machine, the journal, the status or a sink.
#include <gmock/gmock.h>

#include "programs/guest_agent/controller.hpp"
#include "sinks/port_mapping/port_mapping_sink.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/fake_wsl_proxy.hpp"
#include "tests/support/memory_sink.hpp"
#include "tests/support/temp_dir.hpp"

namespace guest_agent {
namespace {

using support::fake_wsl_proxy;

constexpr ports::source_id toy{7, "toy"};

// Publishes by DNAT rules alone, and changes its mind when it is asked to.
class toy_source final : public ports::source {
 public:
  explicit toy_source(const async::executor& where) : changed_(where) {}

  [[nodiscard]] ports::source_id id() const override { return toy; }
  async::task<> run(ports::source_feed& feed) override {
    while (true) {
      feed.publish(id(), {published_, {}, 1});
      co_await changed_.wait();
    }
  }
  void publish(std::vector<ports::binding> bindings) {
    published_ = std::move(bindings);
    changed_.notify_all();
  }

 private:
  std::vector<ports::binding> published_;
  async::condition changed_;
};

ports::binding make(const net::address& at, std::uint16_t port) {
  return {net::protocol::tcp, at, port, 80, "toy-1", "box", ports::serving::nat_rule};
}

class toy_source_test : public testing::Test {
 protected:
  void SetUp() override { connect(); }
  void TearDown() override { loop_.stop(); }

  void connect() {
    controller_ =
        std::make_unique<controller>(loop_.executor(), ports::exposure_options{ports::network_mode::network_tunnel});
    add_wsl_proxy();
    add_memory(ports::peer_role::loopback, "loopback", loopback_);
    add_memory(ports::peer_role::listeners, "listeners", listeners_);
    source_ = std::make_unique<toy_source>(loop_.executor());
    controller_->enable(source_->id());
  }
  void run() {
    loop_.spawn(controller_->run());
    loop_.spawn(source_->run(*controller_));
  }
  void add_wsl_proxy() {
    port_mapping_peer::port_mapping_options peer{.peer = net::unix_path{directory_ / "proxy.sock"}};
    auto sink = std::make_unique<port_mapping_peer::port_mapping_sink>(loop_.executor(), std::move(peer));
    auto book = ports::journal::open(directory_.path(), "wsl-proxy", "boot", std::array{toy});
    ASSERT_TRUE(book);
    remembered_ = book->remembered();
    controller_->add_peer(ports::peer_role::wsl,
                          std::make_unique<ports::reconciler>(loop_.executor(), std::move(sink), std::move(*book)));
  }
  void add_memory(ports::peer_role role, const char* name, support::sink_memory& into) {
    auto sink = std::make_unique<support::memory_sink>(loop_.executor(), name, into);
    controller_->add_peer(role, std::make_unique<ports::reconciler>(loop_.executor(), std::move(sink), std::nullopt));
  }
  [[nodiscard]] bool proxy_holds(const std::set<fake_wsl_proxy::held_port>& all) {
    return loop_.run_until([&] { return proxy_.held() == all; });
  }
  [[nodiscard]] bool become_equal(const std::set<std::string>& held, const std::set<std::string>& wanted) {
    return loop_.run_until([&] { return held == wanted; });
  }

  support::temp_dir directory_;
  fake_wsl_proxy proxy_{directory_ / "proxy.sock"};
  support::event_loop loop_;
  support::sink_memory loopback_, listeners_;
  std::vector<ports::forward> remembered_;
  std::unique_ptr<controller> controller_;
  std::unique_ptr<toy_source> source_;
};

const fake_wsl_proxy::held_port web{net::protocol::tcp, {net::address::any_v4(), 8080}},
    local{net::protocol::tcp, {net::address::loopback_v4(), 8081}};

TEST_F(toy_source_test, its_ports_reach_the_peers_and_leave_them) {
  proxy_.start();
  run();
  source_->publish({make(net::address::any_v4(), 8080), make(net::address::loopback_v4(), 8081)});
  EXPECT_TRUE(proxy_holds({web, local}));
  EXPECT_TRUE(become_equal(loopback_.held, {"tcp 127.0.0.1:8081"})) << "a single address needs the loopback sink";
  EXPECT_TRUE(become_equal(listeners_.held, {"tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081"})) << "no socket listens";
  source_->publish({});
  EXPECT_TRUE(proxy_holds({}));
  EXPECT_TRUE(become_equal(loopback_.held, {}));
}

TEST_F(toy_source_test, its_name_is_in_the_status) {
  run();
  source_->publish({make(net::address::any_v4(), 8080)});
  ASSERT_TRUE(loop_.run_until([&] { return !controller_->view().plan->ports.empty(); }));
  const auto document = describe(controller_->view());
  ASSERT_EQ(document.sources.size(), 1U);
  EXPECT_EQ(document.sources.at(0).name, "toy");
  EXPECT_EQ(document.ports.at(0).source, "toy");
}

TEST_F(toy_source_test, the_journal_remembers_its_ports) {
  proxy_.start();
  run();
  source_->publish({make(net::address::any_v4(), 8080)});
  ASSERT_TRUE(proxy_holds({web}));
  loop_.stop();
  controller_.reset();
  connect();
  ASSERT_EQ(remembered_.size(), 1U);
  EXPECT_EQ(remembered_.front().source, toy);
  EXPECT_EQ(remembered_.front().source.name(), "toy");
}

TEST_F(toy_source_test, two_sources_of_one_rank_are_an_error_of_the_wiring) {
  EXPECT_THROW(controller_->enable(ports::source_id{7, "other"}), std::logic_error);
}

}  // namespace
}  // namespace guest_agent
