#include "tests/bench/agent/bare_loop.hpp"

#include <fmt/format.h>

#include <chrono>
#include <string>

#include "http/connection.hpp"
#include "tests/bench/agent/agent_arena.hpp"

namespace bench {

using namespace std::chrono_literals;

void post_ports(support::event_loop& loop, const http::server_address& api, int count) {
  auto host = loop.run(http::connection::open(api, 5s)).value();
  for (int i = 0; i < count; ++i) {
    const auto body =
        fmt::format(R"({{"local":"0.0.0.0:{0}","remote":"192.168.127.2:{0}","protocol":"tcp"}})", first_port + i);
    loop.run(host.exchange({.method = "POST", .target = "/services/forwarder/expose", .body = body}, {})).value();
  }
}

void list_services(support::event_loop& loop, const http::server_address& api) {
  auto cluster = loop.run(http::connection::open(api, 5s)).value();
  std::string token = "first";
  for (std::string more; !token.empty(); more = "&continue=" + token) {
    const auto page = loop.run(cluster.exchange({.target = "/api/v1/services?limit=500" + more}, {})).value();
    const auto at = page.body.find("\"continue\":\"") + 12;
    token = page.body.substr(at, page.body.find('"', at) - at);
  }
}

}  // namespace bench
