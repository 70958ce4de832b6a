#include "privileged/program.hpp"

#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <optional>

#include "base/log.hpp"
#include "base/program.hpp"
#include "base/text.hpp"
#include "io/signals.hpp"
#include "io/task_group.hpp"
#include "io/unix_listener.hpp"
#include "portproxy/message_server.hpp"
#include "portproxy/port_listeners.hpp"
#include "privileged/claim_table.hpp"
#include "privileged/options.hpp"
#include "relay/sockets.hpp"

namespace privileged {
namespace {

namespace log = base::log;

constexpr std::string_view component = "privileged-service";
constexpr std::chrono::seconds stop_limit{4};
// An agent keeps one silent connection to learn that it still reaches us; nobody else has a reason to be silent for
// long.
constexpr std::chrono::hours silent_limit{24};

// Where messages come in: a UNIX socket, whose file goes with it, or TCP.
struct entrance {
  std::optional<io::unix_listener> file;
  base::unique_fd socket;
  std::string name;
};

base::result<entrance> open_entrance(const options& o) {
  if (o.listen) {
    auto fd = relay::open_listener({.protocol = net::protocol::tcp, .listen = *o.listen, .target = {}});
    if (!fd) return base::fail(fd.error().code, "listen on " + net::to_string(*o.listen));
    return entrance{std::nullopt, std::move(*fd), net::to_string(*o.listen)};
  }
  auto file = io::unix_listener::claim(o.socket_file);
  if (!file) return std::unexpected(file.error());
  base::unique_fd fd(::dup(file->fd()));
  return entrance{std::move(*file), std::move(fd), base::printable(o.socket_file)};
}

void handle(const portmapping::message& m, claim_table& claims, portproxy::port_listeners& listeners) {
  const auto made = claims.apply(m);
  for (const auto& text : made.notes) log::warn(component, "{}", text);
  for (const auto& c : made.changes) {
    if (c.target)
      listeners.add(c.key, *c.target);
    else
      listeners.remove(c.key);
  }
  listeners.settle();
}

io::task<> serve(options o, entrance in) {
  const auto where = co_await io::asio::this_coro::executor;
  claim_table claims({.loopback_targets = o.loopback_targets});
  portproxy::port_listeners listeners(
      where, {.udp_buffer_bytes = o.udp_buffer_bytes, .relay = {.shards = relay::shards_for_processors()}});
  const auto take = [&](const portmapping::message& m) { handle(m, claims, listeners); };
  portproxy::message_server server(where, std::move(in.socket), take, {.idle_limit = silent_limit});
  io::task_group tasks(where);
  tasks.spawn("retries", listeners.run());
  tasks.spawn("messages", server.run());
  log::info(component, "ready socket={}", in.name);
  const int signal = co_await io::stop_signal();
  log::info(component, "stopping signal={} listeners={}", signal, listeners.table().size());
  co_await tasks.stop(io::clock::now() + stop_limit);
}

}  // namespace

int run_program(int argc, const char* const* argv) {
  options o;
  auto flags = flags_for(o);
  if (const auto ended = base::parse_command_line(flags, argc, argv)) return *ended;
  if (!flags.rest().empty())
    return base::report_failure(component, "unexpected argument: " + base::printable(flags.rest().front()),
                                base::exit_usage);
  auto in = open_entrance(o);
  if (!in) return base::report_failure(component, in.error().message());
  if (!o.log_file.empty() && !log::set_file(o.log_file))
    return base::report_failure(component, "cannot open the log file " + o.log_file);
  if (o.debug) log::set_level(log::level::debug);
  base::raise_descriptor_limit();
  boost::asio::io_context context(1);
  io::task_group main(context.get_executor());
  main.spawn("privileged-service", serve(o, std::move(*in)));
  context.run();
  return base::exit_ok;
}

}  // namespace privileged
