#include "sources/static_ports/own_port_source.hpp"

#include <chrono>
#include <expected>
#include <string>
#include <utility>

#include "async/task.hpp"
#include "base/episode.hpp"
#include "base/result.hpp"
#include "net/endpoint.hpp"
#include "net/protocol.hpp"
#include "ports/serving.hpp"
#include "ports/snapshot.hpp"
#include "ports/source.hpp"
#include "relay/sockets.hpp"

namespace static_ports {
namespace {

constexpr std::chrono::seconds retry_pause{1};

}  // namespace

async::task<> own_port_source::run(ports::source_feed& feed) {
  const std::string name(id().name());
  base::log::episode trouble(name, "cannot listen on " + net::to_string(at_));
  while (true) {
    auto listening = relay::open_listener({.protocol = net::protocol::tcp, .listen = at_, .target = {}});
    trouble.note(listening ? base::result<>{} : std::unexpected(listening.error()));
    ports::snapshot now;
    if (listening)
      now.bindings.push_back(
          {net::protocol::tcp, at_.ip, at_.port, at_.port, name, name, ports::serving::host_listener});
    else
      now.doubt = "cannot listen on " + net::to_string(at_) + ": " + listening.error().message();
    feed.publish(id(), std::move(now));
    if (listening)
      co_await serve_(std::move(*listening));
    else
      co_await async::sleep_for(retry_pause);
  }
}

}  // namespace static_ports
