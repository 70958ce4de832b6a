#include "port_metrics/metrics_socket.hpp"

#include <fcntl.h>

#include <algorithm>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "async/task.hpp"
#include "async/task_group.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "http/message.hpp"
#include "http/server.hpp"
#include "os/claimed_unix_path.hpp"
#include "port_metrics/port_metrics.hpp"
#include "program/flag_values.hpp"
#include "program/go_flags.hpp"
#include "program/metrics_text.hpp"

namespace port_metrics {
namespace {

struct served {
  std::string prefix;
  port_reader ports;
};

async::task<http::answer> handle(std::shared_ptr<const served> what, http::incoming in) {
  co_return http::answer{answer(in.head, what->prefix, what->ports), {}};
}

}  // namespace

void metrics_socket::declare(program::flag_set& flags) {
  flags.add(
      "metrics-socket", path_, program::own_socket_path, "",
      "A UNIX socket at this `path`, mode 0600, with /metrics: connections and bytes of each port, in Prometheus' "
      "text format.");
}

base::result<> metrics_socket::open() {
  if (path_.empty()) return {};
  auto claimed = os::claimed_unix_path::claim(path_);
  if (!claimed) return std::unexpected(claimed.error());
  listener_ = std::make_unique<os::claimed_unix_path>(std::move(*claimed));
  return {};
}

void metrics_socket::start(async::task_group& tasks, std::string_view program, port_reader ports) {
  if (!listener_) return;
  std::string prefix(program);
  std::ranges::replace(prefix, '-', '_');
  const auto what = std::make_shared<const served>(std::move(prefix), std::move(ports));
  const http::handler handler = [what](http::incoming in) { return handle(what, std::move(in)); };
  base::unique_fd listening(::fcntl(listener_->fd(), F_DUPFD_CLOEXEC, 0));
  tasks.spawn("metrics", http::serve(std::move(listening), handler, {.connections = 16}));
}

http::response answer(const http::request& request, std::string_view prefix, const port_reader& ports) {
  if (request.method != "GET") return http::text_response(405, "GET only");
  if (std::string_view(request.target).substr(0, request.target.find('?')) != "/metrics")
    return http::text_response(404, "404 page not found");
  program::metrics_text text;
  add(text, prefix, ports());
  return {200, {{"Content-Type", std::string(program::metrics_content_type)}}, text.take()};
}

}  // namespace port_metrics
