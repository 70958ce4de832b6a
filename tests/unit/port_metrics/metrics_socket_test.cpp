#include "port_metrics/metrics_socket.hpp"

#include <gmock/gmock.h>

namespace port_metrics {
namespace {

const port_reader one_port = [] {
  return std::vector{relay::port_status{{net::protocol::tcp, net::address::any_v4(), 80}, 1, 0, 2, 3}};
};

TEST(metrics_socket, the_metrics_have_one_path_with_or_without_a_query) {
  for (const auto* target : {"/metrics", "/metrics?x=1"}) {
    const auto given = answer({.method = "GET", .target = target}, "wsl_proxy", one_port);
    EXPECT_EQ(given.status, 200U) << target;
    EXPECT_EQ(given.header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_THAT(given.body, testing::HasSubstr("\nwsl_proxy_port_sent_bytes_total{protocol=\"tcp\",address=\"0.0.0.0\","
                                               "port=\"80\"} 3\n"));
  }
}

TEST(metrics_socket, what_is_not_their_path_or_no_get_is_refused_without_a_look_at_the_ports) {
  const port_reader unread = []() -> std::vector<relay::port_status> {
    ADD_FAILURE() << "the ports were read";
    return {};
  };
  for (const auto* target : {"/", "", "/metrics/", "/metricsx", "//metrics", "http://x/metrics"})
    EXPECT_EQ(answer({.method = "GET", .target = target}, "wsl_proxy", unread).status, 404U) << target;
  for (const auto* method : {"POST", "PUT", "DELETE", "HEAD"})
    EXPECT_EQ(answer({.method = method, .target = "/metrics"}, "wsl_proxy", unread).status, 405U) << method;
}

}  // namespace
}  // namespace port_metrics
