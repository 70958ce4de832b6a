// host_switch_sink: exposes forwards on the host through host-switch's HTTP API. Several requests are under way at
// once, each on its own connection, which stays open.
//
// The loss of the idle connection is the heartbeat. The original host-switch closes it after ten seconds without a
// request, ours after minutes, and the kernel closes it when the server dies. A server with TCP in its own process dies
// without closing anything: a probe every second notices that within two. When the tap comes back with its address,
// another server may be behind it. In each case the reconciler lists again.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "async/condition.hpp"
#include "http/connection.hpp"
#include "kernel/netlink/address_watch.hpp"
#include "net/address.hpp"
#include "ports/sink.hpp"

namespace host_switch_peer {

struct host_switch_options {
  http::server_address server{.host = "gateway.rancher-desktop.internal"};
  net::address tap = net::address::v4(192, 168, 127, 2);  // where host-switch reaches this VM
  std::chrono::milliseconds deadline{5'000};              // for each call
  std::chrono::milliseconds resync{30'000};               // the longest time between two lists
  unsigned workers = 4;
};

class host_switch_sink : public ports::sink {
 public:
  host_switch_sink(const async::executor& where, host_switch_options options);

  [[nodiscard]] std::string_view name() const override { return "host-switch"; }
  [[nodiscard]] ports::sink_traits traits() const override {
    return {.workers = options_.workers, .batch = 16, .hints_return = true};
  }
  async::task<base::result<ports::peer_state>> list() override;
  // Sends one operation after the other. After the first without an answer the rest is not sent.
  async::task<std::vector<ports::outcome>> apply(std::vector<ports::operation> batch) override;
  async::task<> changed() override;
  async::task<> close() override;

 private:
  using connection_ptr = std::shared_ptr<http::connection>;
  connection_ptr take_kept();  // null: none is left
  async::task<base::result<connection_ptr>> open();
  async::task<base::result<http::response>> ask_all(connection_ptr connection);
  void give_back(connection_ptr connection);
  async::task<ports::outcome> perform(ports::operation op);
  async::task<> watched_ends();
  async::task<> tap_returns();

  host_switch_options options_;
  std::vector<connection_ptr> idle_;  // at most one for each worker
  connection_ptr watched_;            // idle since the last list, and not in idle_
  async::condition renewed_;          // watched_ is another one
  std::optional<netlink::address_watch> addresses_;
  unsigned tap_interface_ = 0;  // that had the tap's address last; 0: none
};

}  // namespace host_switch_peer
