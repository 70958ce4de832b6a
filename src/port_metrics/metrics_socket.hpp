// metrics_socket: the flag -metrics-socket, and GET /metrics on that UNIX socket, mode 0600. Without the flag it does
// nothing. Control thread only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "async/task_group.hpp"
#include "base/result.hpp"
#include "http/message.hpp"
#include "os/claimed_unix_path.hpp"
#include "program/go_flags.hpp"
#include "relay/port_status.hpp"

namespace port_metrics {

using port_reader = std::function<std::vector<relay::port_status>()>;

class metrics_socket {
 public:
  void declare(program::flag_set& flags);
  // Claims the path. The error is claimed_unix_path's.
  base::result<> open();
  // Serves until the tasks are cancelled, and outlives them. `program`: "wsl-proxy"; names begin with wsl_proxy_.
  void start(async::task_group& tasks, std::string_view program, port_reader ports);

 private:
  std::string path_;
  std::unique_ptr<os::claimed_unix_path> listener_;
};

// The answer to one request; reads the ports for GET /metrics alone.
[[nodiscard]] http::response answer(const http::request& request, std::string_view prefix, const port_reader& ports);

}  // namespace port_metrics
