// port_metrics: what has passed through the ports of a relay, as Prometheus metrics. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "program/metrics_text.hpp"
#include "relay/port_status.hpp"

namespace port_metrics {

// PREFIX_port_connections_total, PREFIX_port_open_connections, PREFIX_port_received_bytes_total and
// PREFIX_port_sent_bytes_total with a sample for each port; nothing without ports. `prefix`: "host_switch".
void add(program::metrics_text& to, std::string_view prefix, const std::vector<relay::port_status>& ports);

}  // namespace port_metrics
