// proxy_daemon: serves PortMapping messages: everything that wsl-proxy and privileged-service share. Messages arrive at
// a UNIX socket, one a connection. Each program adds only its choice of target.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "os/claimed_unix_path.hpp"
#include "port_metrics/metrics_socket.hpp"
#include "program/daemon.hpp"
#include "programs/port_proxy/message_server.hpp"
#include "programs/port_proxy/port_listeners.hpp"

namespace port_proxy {

class proxy_daemon : public program::daemon {
 public:
  void declare(program::flag_set& flags) override;
  [[nodiscard]] program::rights needs() const override;
  base::result<> open(const async::executor& where) override;
  std::string start(async::task_group& tasks) override;
  [[nodiscard]] std::string summary() const override;

 protected:
  proxy_daemon(std::string socket_file, message_server_options messages)
      : socket_file_(std::move(socket_file)), messages_(messages) {}

  // Applies a message to `listeners`.
  virtual void handle(const port_mapping::message& m, const caller& from, port_listeners& listeners) = 0;
  // For the log, beside the socket: "upstream=192.168.143.1".
  [[nodiscard]] virtual std::string relays_to() const { return {}; }

  std::optional<net::endpoint> tcp_;  // takes the messages over TCP instead of the UNIX socket

 private:
  base::result<base::unique_fd> open_entrance();

  std::string socket_file_;
  message_server_options messages_;
  int udp_buffer_bytes_ = 8 << 20;
  port_metrics::metrics_socket metrics_;
  std::optional<os::claimed_unix_path> file_;
  std::unique_ptr<port_listeners> listeners_;
  std::unique_ptr<message_server> server_;
};

}  // namespace port_proxy
