#include "port_metrics/port_metrics.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/protocol.hpp"
#include "program/metrics_text.hpp"
#include "relay/port_status.hpp"

namespace port_metrics {

using program::metric_kind;
using relay::port_status;

void add(program::metrics_text& to, std::string_view prefix, const std::vector<port_status>& ports) {
  if (ports.empty()) return;
  const auto put = [&](std::string_view name, metric_kind kind, std::string_view help,
                       std::uint64_t port_status::* value) {
    to.begin(std::string(prefix) + "_port_" + std::string(name), kind, help);
    for (const auto& one : ports)
      to.add({{"protocol", net::to_string(one.key.protocol)},
              {"address", one.key.address.to_string()},
              {"port", std::to_string(one.key.port)}},
             static_cast<double>(one.*value));
  };
  put("connections_total", metric_kind::counter, "Clients of an exposed port since it was opened.",
      &port_status::connections);
  put("open_connections", metric_kind::gauge, "Clients of an exposed port now.", &port_status::open);
  put("received_bytes_total", metric_kind::counter, "Bytes from the clients of an exposed port.",
      &port_status::received);
  put("sent_bytes_total", metric_kind::counter, "Bytes to the clients of an exposed port.", &port_status::sent);
}

}  // namespace port_metrics
