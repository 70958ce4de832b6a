#include "vtunnel/program.hpp"

#include <boost/asio/io_context.hpp>
#include <cstdio>

#include "base/log.hpp"
#include "base/program.hpp"
#include "base/read_file.hpp"
#include "base/text.hpp"
#include "io/signals.hpp"
#include "io/task_group.hpp"
#include "vtunnel/options.hpp"
#include "vtunnel/tunnel_end.hpp"

namespace vtunnel {
namespace {

namespace log = base::log;

constexpr std::string_view component = "vtunnel";
constexpr std::chrono::seconds stop_limit{4};

base::result<std::vector<tunnel>> read_config(const std::string& path) {
  const auto text = base::read_file(path);
  if (!text) return std::unexpected(text.error());
  auto parsed = parse_config(*text);
  if (!parsed) return base::fail(base::printable(path) + ": " + parsed.error().message());
  return parsed;
}

io::task<> serve(side which, tunnel_end* end, std::size_t tunnels) {
  io::task_group tasks(co_await io::asio::this_coro::executor);
  tasks.spawn("tunnels", which == side::peer ? end->run_peer() : end->run_host());
  log::info(component, "ready side={} tunnels={}", which == side::peer ? "peer" : "host", tunnels);
  const int signal = co_await io::stop_signal();
  log::info(component, "stopping signal={} connections={}", signal, end->count().connections.load());
  co_await tasks.stop(io::clock::now() + stop_limit);
}

int run_side(side which, const options& o) {
  auto tunnels = read_config(o.config);
  if (!tunnels) return base::report_failure(component, tunnels.error().message());
  if (!o.log_file.empty() && !log::set_file(o.log_file))
    return base::report_failure(component, "cannot open the log file " + o.log_file);
  if (o.debug) log::set_level(log::level::debug);
  base::raise_descriptor_limit();
  const auto count = tunnels->size();
  tunnel_end end(std::move(*tunnels), o.cid);
  if (which == side::peer)
    if (auto opened = end.open_peer(); !opened) return base::report_failure(component, opened.error().message());
  boost::asio::io_context context(1);
  io::task_group main(context.get_executor());
  main.spawn("vtunnel", serve(which, &end, count));
  context.run();
  return base::exit_ok;
}

}  // namespace

int run_program(int argc, const char* const* argv) {
  options o;
  const auto which = argc > 1 ? parse_side(argv[1]) : std::nullopt;
  auto flags = flags_for(o, which);
  const int skipped = which ? 1 : 0;
  if (const auto ended = base::parse_command_line(flags, argc - skipped, argv + skipped)) return *ended;
  if (!which || !flags.rest().empty()) {
    const auto wrong = flags.rest().empty() ? "no command: peer or host"
                                            : (which ? "unexpected argument: " : "unknown command: ") +
                                                  base::printable(flags.rest().front());
    return base::report_failure(component, wrong + "\n" + flags.usage(), base::exit_usage);
  }
  return run_side(*which, o);
}

}  // namespace vtunnel
