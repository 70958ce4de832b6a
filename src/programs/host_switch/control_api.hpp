// control_api: what -control-socket serves to programs of the host: the forwarder API without a limit on callers, and
// the state of the virtual network. The socket is a file with mode 0600: its owner may use it, browsers and the VM
// cannot. Paths and formats are gvproxy's (gvisor-tap-vsock, pkg/virtualnetwork/mux.go), so its clients work:
//
//   /services/forwarder/all, expose, unexpose     as in the virtual network
//   /leases, /services/dhcp/leases                {"192.168.127.2":"5a:94:ef:e4:0c:ee"}
//   /cam                                          {"5a:94:ef:e4:0c:ee":1}: the link of each station
//   /links                                        {"1":{"offload":true,"blocked":false,…}}: each link; not gvproxy's
//   /stats                                        counters, as one JSON object
//   /metrics                                      the same for Prometheus, and the traffic of each exposed port; not
//                                                 gvproxy's
#pragma once

#include <string>
#include <vector>

#include "http/server.hpp"
#include "net/mac_address.hpp"
#include "netstack/stack/action.hpp"
#include "programs/host_switch/forwarder.hpp"
#include "programs/host_switch/virtual_network.hpp"

namespace host_switch {

struct metric {
  std::string name;  // without the prefix of /metrics
  std::uint64_t value = 0;
  bool is_gauge = false;
};

[[nodiscard]] std::string leases_as_json(const std::vector<netstack::lease>& all);
[[nodiscard]] std::string stations_as_json(const std::vector<links::mac_table::station>& all);
[[nodiscard]] std::string links_as_json(const std::vector<translator::link_status>& all);
[[nodiscard]] std::vector<metric> link_metrics(const std::vector<translator::link_status>& all);
[[nodiscard]] std::string metrics_as_json(const std::vector<metric>& all);
[[nodiscard]] std::string metrics_as_text(const std::vector<metric>& all,
                                          const std::vector<relay::port_status>& ports = {});

class control_api {
 public:
  control_api(virtual_network& network, forwarder& forwards) : network_(network), forwards_(forwards) {}

  [[nodiscard]] http::response answer(const http::request& request);

 private:
  [[nodiscard]] std::vector<metric> metrics();

  virtual_network& network_;
  forwarder& forwards_;
};

}  // namespace host_switch
