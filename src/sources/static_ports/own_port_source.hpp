// own_port_source: a TCP port on which the agent itself serves something, and which it exposes like any other port.
// Listens, publishes the port, and has it served. While it cannot listen it publishes nothing and says why: the port is
// another program's then. Tries again every second.
#pragma once

#include <functional>

#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"
#include "ports/source.hpp"

namespace static_ports {

class own_port_source final : public ports::source {
 public:
  // Serves the connections of a listening socket until cancelled.
  using service = std::function<async::task<>(base::unique_fd listening)>;

  own_port_source(const net::endpoint& at, service serve) : at_(at), serve_(std::move(serve)) {}

  [[nodiscard]] ports::source_id id() const override { return ports::source_id::status_page; }
  async::task<> run(ports::source_feed& feed) override;

 private:
  net::endpoint at_;
  service serve_;
};

}  // namespace static_ports
