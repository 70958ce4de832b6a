#include "wslproxy/program.hpp"

#include <unistd.h>

#include <boost/asio/io_context.hpp>

#include "base/log.hpp"
#include "base/program.hpp"
#include "base/text.hpp"
#include "io/signals.hpp"
#include "io/task_group.hpp"
#include "io/unix_listener.hpp"
#include "portproxy/message_server.hpp"
#include "wslproxy/options.hpp"
#include "wslproxy/port_proxy.hpp"

namespace wslproxy {
namespace {

namespace log = base::log;

constexpr std::string_view component = "wsl-proxy";
constexpr std::chrono::seconds stop_limit{4};

io::task<> serve(options o, io::unix_listener listener) {
  const auto where = co_await io::asio::this_coro::executor;
  port_proxy proxy(where, {.upstream = o.upstream,
                           .listeners = {.udp_buffer_bytes = o.udp_buffer_bytes,
                                         .relay = {.shards = relay::shards_for_processors()}}});
  portproxy::message_server server(where, base::unique_fd(::dup(listener.fd())),
                                   [&proxy](const auto& m) { proxy.handle(m); });
  io::task_group tasks(where);
  tasks.spawn("retries", proxy.run());
  tasks.spawn("messages", server.run());
  log::info(component, "ready socket={} upstream={}", base::printable(o.socket_file), o.upstream.to_string());
  const int signal = co_await io::stop_signal();
  log::info(component, "stopping signal={} listeners={}", signal, proxy.table().size());
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
  auto listener = io::unix_listener::claim(o.socket_file);
  if (!listener) return base::report_failure(component, listener.error().message());
  if (!o.log_file.empty() && !log::set_file(o.log_file))
    return base::report_failure(component, "cannot open the log file " + o.log_file);
  if (o.debug) log::set_level(log::level::debug);
  base::raise_descriptor_limit();
  boost::asio::io_context context(1);
  io::task_group main(context.get_executor());
  main.spawn("wsl-proxy", serve(o, std::move(*listener)));
  context.run();
  return base::exit_ok;
}

}  // namespace wslproxy
