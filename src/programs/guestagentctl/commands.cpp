#include "programs/guestagentctl/commands.hpp"

#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include "async/task.hpp"
#include "async/task_group.hpp"
#include "base/descriptor_limit.hpp"
#include "base/read_file.hpp"
#include "base/result.hpp"
#include "json/json.hpp"
#include "os/signals.hpp"
#include "os/standard_streams.hpp"
#include "program/command_line.hpp"
#include "programs/guestagentctl/agent_client.hpp"
#include "programs/guestagentctl/event_lines.hpp"
#include "programs/guestagentctl/explain.hpp"
#include "programs/guestagentctl/listing.hpp"
#include "programs/guestagentctl/port_filter.hpp"
#include "programs/guestagentctl/port_wait.hpp"
#include "programs/guestagentctl/request.hpp"
#include "programs/guestagentctl/rules_listing.hpp"
#include "protocols/rules_document/document_codec.hpp"
#include "protocols/status_document/document.hpp"
#include "protocols/status_document/document_codec.hpp"

namespace guestagentctl {
namespace {

constexpr auto program_name = "guestagentctl";

// The agent's own JSON, so that members unknown here are printed, too; of the ports those that pass the filter.
base::result<> show_json(const request& r, std::string_view text) {
  auto document = json::parse(text, {.bytes = status_document::max_document_bytes});
  if (!document) return base::fail("the agent's answer: " + document.error().message());
  const auto* list = r.command == "ports" ? json::find_array(*document, "ports") : nullptr;
  if (list == nullptr) return os::print(json::serialize(*document) + "\n");
  const auto shown = read_document(text);
  json::array kept;
  std::size_t next = 0;  // the codec leaves out members that are no objects
  for (const auto& port : *list)
    if (!port.is_object() || passes(r.filter, shown->ports.at(next++))) kept.push_back(port);
  return os::print(json::serialize(kept) + "\n");
}

std::string render(const request& r, const status_document::document& shown) {
  if (r.command == "explain") return explain(shown, r.question);
  return r.command == "ports" ? list_ports(shown, r.filter) : list_status(shown);
}

base::result<> show(const request& r, std::string_view text) {
  if (r.json) return show_json(r, text);
  const auto shown = read_document(text);
  if (!shown) return std::unexpected(shown.error());
  const std::string_view clear = r.watch && ::isatty(STDOUT_FILENO) != 0 ? "\x1b[H\x1b[2J" : "";
  return os::print(std::string(clear) + render(r, *shown) + (r.watch ? "\n" : ""));
}

async::task<base::result<int>> show_once(const request& r) {
  const auto text = co_await fetch_document(r.socket, "/v1/status");
  if (!text) co_return std::unexpected(text.error());
  if (auto shown = show(r, *text); !shown) co_return std::unexpected(shown.error());
  co_return program::exit_ok;
}

async::task<base::result<int>> show_always(const request& r) {
  const auto ended = co_await follow_status(r.socket, [&r](std::string_view text) -> base::result<appetite> {
    if (auto shown = show(r, text); !shown) return std::unexpected(shown.error());
    return appetite::more;
  });
  co_return ended ? base::result<int>(program::exit_ok) : std::unexpected(ended.error());
}

async::task<base::result<int>> show_rules(const request& r) {
  const auto text = co_await fetch_document(r.socket, "/v1/rules");
  if (!text) co_return std::unexpected(text.error());
  const auto shown = rules_document::decode(*text);
  if (!shown) co_return base::fail("the agent's answer: " + shown.error().message());
  if (auto printed = os::print(list_rules(*shown)); !printed) co_return std::unexpected(printed.error());
  co_return program::exit_ok;
}

base::result<int> check_rules_file(const request& r) {
  const auto text = base::read_file(r.rules_file);
  if (!text) return std::unexpected(text.error());
  const auto checked = check_rules(r.rules_file, *text);
  if (auto printed = os::print(checked.text); !printed) return std::unexpected(printed.error());
  return checked.good ? program::exit_ok : program::exit_failure;
}

async::task<base::result<int>> answer(const request& r) {
  if (r.command == "rules") return show_rules(r);
  if (r.command == "events") return print_events(r);
  if (r.wait) return wait_for_port(r);
  return r.watch ? show_always(r) : show_once(r);
}

// What follows the agent would continue until there is something to print again.
async::task<base::result<int>> reader_gone() { co_return std::unexpected(co_await os::output_lost()); }

async::task<> keep(async::task<base::result<int>> work, base::result<int>& into, boost::asio::io_context& context) {
  into = co_await std::move(work);
  context.stop();
}

async::task<> stop_on_signal(boost::asio::io_context& context) {
  co_await os::stop_signal();
  context.stop();
}

}  // namespace

int run(int argc, const char* const* argv) {
  os::occupy_closed_streams();
  if (const auto enough = base::raise_descriptor_limit(); !enough)
    return program::report_failure(program_name, enough.error().message());
  os::catch_stop_signals();
  request r;
  program::command_line line(describe_program());
  add_flags(line.flags(), r);
  if (const auto code = line.parse(argc, argv)) return *code;
  if (const auto sound = complete(r, line); !sound)
    return program::report_failure(program_name, sound.error().message(), program::exit_usage);
  if (!r.rules_file.empty()) {
    const auto checked = check_rules_file(r);
    return checked ? *checked : program::report_failure(program_name, checked.error().message());
  }
  boost::asio::io_context context(1);
  async::task_group tasks(context.get_executor());
  base::result<int> outcome = program::exit_ok;  // if a signal ends it
  tasks.spawn("signals", stop_on_signal(context));
  if (r.watch || r.command == "events") tasks.spawn("reader", keep(reader_gone(), outcome, context));
  tasks.spawn("ask", keep(answer(r), outcome, context));
  context.run();
  return outcome ? *outcome : program::report_failure(program_name, outcome.error().message());
}

}  // namespace guestagentctl
