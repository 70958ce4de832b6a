// Behaviour 11: a wsl-proxy that was restarted is sent everything again, the static mapping of the Kubernetes API too.
#include <gmock/gmock.h>

#include "programs/guest_agent/composition.hpp"
#include "programs/guest_agent/controller.hpp"
#include "sinks/port_mapping/port_mapping_sink.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/fake_wsl_proxy.hpp"
#include "tests/support/temp_dir.hpp"

namespace guest_agent {
namespace {

using ports::source_id;

const support::fake_wsl_proxy::held_port api{net::protocol::tcp, {net::address::loopback_v4(), 6443}},
    web{net::protocol::tcp, {net::address::any_v4(), 8080}};

class static_mapping_test : public testing::Test {
 protected:
  void SetUp() override {
    options o;
    o.kubernetes = true;
    controller_.enable(source_id::fixed);
    controller_.enable(source_id::docker);
    controller_.publish(source_id::fixed, static_ports(o, {}));
    controller_.publish(source_id::docker,
                        {{{net::protocol::tcp, net::address::any_v4(), 8080, 80, "c1", "web"}}, {}, 1});
    port_mapping_peer::port_mapping_options peer{.peer = net::unix_path{directory_ / "proxy.sock"}};
    auto sink = std::make_unique<port_mapping_peer::port_mapping_sink>(loop_.executor(), std::move(peer));
    controller_.add_peer(ports::peer_role::wsl,
                         std::make_unique<ports::reconciler>(loop_.executor(), std::move(sink), std::nullopt));
    loop_.spawn(controller_.run());
  }
  void TearDown() override { loop_.stop(); }
  [[nodiscard]] bool holds_all() {
    const std::set all{api, web};
    return loop_.run_until([&] { return proxy_.held() == all; });
  }

  support::temp_dir directory_;
  support::fake_wsl_proxy proxy_{directory_ / "proxy.sock"};
  support::event_loop loop_;
  controller controller_{loop_.executor(), {ports::network_mode::network_tunnel}};
};

TEST_F(static_mapping_test, is_sent_to_a_proxy_that_starts_later_and_again_to_each_that_is_restarted) {
  proxy_.start();
  EXPECT_TRUE(holds_all());
  proxy_.stop();
  proxy_.start();
  EXPECT_TRUE(holds_all()) << "stopped and started";
  proxy_.crash();
  proxy_.start();
  EXPECT_TRUE(holds_all()) << "killed and started";
}

}  // namespace
}  // namespace guest_agent
