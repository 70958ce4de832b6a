#include "port_metrics/port_metrics.hpp"

#include <gtest/gtest.h>

#include "tests/support/metrics_check.hpp"

namespace port_metrics {
namespace {

using net::protocol;

std::string text_of(std::string_view prefix, const std::vector<relay::port_status>& ports) {
  program::metrics_text text;
  add(text, prefix, ports);
  return text.take();
}

TEST(port_metrics, each_port_has_its_connections_and_bytes_with_the_prefix_of_its_program) {
  const relay::port_status web{{protocol::tcp, net::address::any_v4(), 8080}, 3, 1, 500, 70'000};
  const relay::port_status dns{{protocol::udp, net::address::loopback_v6(), 53}, 2, 2, 60, 120};
  const auto text = text_of("wsl_proxy", {web, dns});
  EXPECT_EQ(text,
            "# HELP wsl_proxy_port_connections_total Clients of an exposed port since it was opened.\n"
            "# TYPE wsl_proxy_port_connections_total counter\n"
            "wsl_proxy_port_connections_total{protocol=\"tcp\",address=\"0.0.0.0\",port=\"8080\"} 3\n"
            "wsl_proxy_port_connections_total{protocol=\"udp\",address=\"::1\",port=\"53\"} 2\n"
            "# HELP wsl_proxy_port_open_connections Clients of an exposed port now.\n"
            "# TYPE wsl_proxy_port_open_connections gauge\n"
            "wsl_proxy_port_open_connections{protocol=\"tcp\",address=\"0.0.0.0\",port=\"8080\"} 1\n"
            "wsl_proxy_port_open_connections{protocol=\"udp\",address=\"::1\",port=\"53\"} 2\n"
            "# HELP wsl_proxy_port_received_bytes_total Bytes from the clients of an exposed port.\n"
            "# TYPE wsl_proxy_port_received_bytes_total counter\n"
            "wsl_proxy_port_received_bytes_total{protocol=\"tcp\",address=\"0.0.0.0\",port=\"8080\"} 500\n"
            "wsl_proxy_port_received_bytes_total{protocol=\"udp\",address=\"::1\",port=\"53\"} 60\n"
            "# HELP wsl_proxy_port_sent_bytes_total Bytes to the clients of an exposed port.\n"
            "# TYPE wsl_proxy_port_sent_bytes_total counter\n"
            "wsl_proxy_port_sent_bytes_total{protocol=\"tcp\",address=\"0.0.0.0\",port=\"8080\"} 70000\n"
            "wsl_proxy_port_sent_bytes_total{protocol=\"udp\",address=\"::1\",port=\"53\"} 120\n");
  EXPECT_EQ(support::metrics_faults(text), "");
}

TEST(port_metrics, without_ports_there_is_no_metric) { EXPECT_EQ(text_of("wsl_proxy", {}), ""); }

}  // namespace
}  // namespace port_metrics
