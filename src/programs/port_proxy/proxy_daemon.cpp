#include "programs/port_proxy/proxy_daemon.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <expected>
#include <memory>
#include <utility>

#include "async/task.hpp"
#include "async/task_group.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "base/unique_fd.hpp"
#include "kernel/netlink/socket_owner.hpp"
#include "net/endpoint.hpp"
#include "net/protocol.hpp"
#include "os/claimed_unix_path.hpp"
#include "program/flag_values.hpp"
#include "program/go_flags.hpp"
#include "program/rights.hpp"
#include "programs/port_proxy/caller.hpp"
#include "programs/port_proxy/message_server.hpp"
#include "programs/port_proxy/port_listeners.hpp"
#include "protocols/port_mapping/message.hpp"
#include "relay/listener_set.hpp"
#include "relay/sockets.hpp"

namespace port_proxy {

void proxy_daemon::declare(program::flag_set& flags) {
  flags.add("socketFile", socket_file_, program::path,
            "The `path` of the UNIX socket that receives the messages; mode 0600.");
  flags.add("udpBuffer", udp_buffer_bytes_, program::buffer_size,
            "The kernel's buffer for each UDP socket, in `bytes`; the kernel may grant less.");
  metrics_.declare(flags);
}

base::result<base::unique_fd> proxy_daemon::open_entrance() {
  if (tcp_) {
    auto fd = relay::open_listener({.protocol = net::protocol::tcp, .listen = *tcp_, .target = {}});
    if (!fd) return base::fail(fd.error().code, "listen on " + net::to_string(*tcp_));
    messages_.admit = netlink::is_from_own_user;
    return fd;
  }
  auto file = os::claimed_unix_path::claim(socket_file_);
  if (!file) return std::unexpected(file.error());
  file_.emplace(std::move(*file));
  return base::unique_fd(::dup(file_->fd()));
}

program::rights proxy_daemon::needs() const {
  return {{program::low_ports, program::large_buffers, program::foreign_files}, program::calls_of_service()};
}

base::result<> proxy_daemon::open(const async::executor& where) {
  auto entrance = open_entrance();
  if (!entrance) return std::unexpected(entrance.error());
  if (auto opened = metrics_.open(); !opened) return opened;
  const port_listeners_options options{.udp_buffer_bytes = udp_buffer_bytes_,
                                       .relay = {.shards = relay::shards_for_processors()}};
  listeners_ = std::make_unique<port_listeners>(where, options);
  const auto take = [this](const port_mapping::message& m, const caller& from) {
    handle(m, from, *listeners_);
    listeners_->settle();
  };
  server_ = std::make_unique<message_server>(where, std::move(*entrance), take, messages_);
  return {};
}

std::string proxy_daemon::start(async::task_group& tasks) {
  tasks.spawn("retries", listeners_->run());
  tasks.spawn("messages", server_->run());
  metrics_.start(tasks, info().name, [this] { return listeners_->ports(); });
  const auto relayed = relays_to();
  return fmt::format("socket={}{}{}", tcp_ ? net::to_string(*tcp_) : base::printable(socket_file_),
                     relayed.empty() ? "" : " ", relayed);
}

std::string proxy_daemon::summary() const { return fmt::format("listeners={}", listeners_->table().size()); }

}  // namespace port_proxy
