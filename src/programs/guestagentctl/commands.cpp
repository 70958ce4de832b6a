#include "programs/guestagentctl/commands.hpp"

#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include "async/task.hpp"
#include "async/task_group.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "http/connection.hpp"
#include "http/message.hpp"
#include "json/json.hpp"
#include "json/stream_splitter.hpp"
#include "os/signals.hpp"
#include "program/command_line.hpp"
#include "program/flag_values.hpp"
#include "program/go_flags.hpp"
#include "programs/guestagentctl/listing.hpp"
#include "protocols/status_document/document_codec.hpp"

namespace guestagentctl {
namespace {

using namespace std::chrono_literals;

constexpr auto program_name = "guestagentctl";

constexpr auto description =
    "Shows what the guest agent is doing.\n\n"
    "ports: each port that a container engine publishes, one per line: the address on the host, the container's port, "
    "its owner, its state at each peer, since when, and why not. The states are applied; foreign: another program "
    "opened it before; pending; conflict: its port is in use; retrying; refused: the peer rejected it; down: the peer "
    "cannot be reached; restricted, unsupported, shadowed and covered: by policy. A port that is no longer published "
    "is listed while it may be open: removing; leftover: its removal must wait; retrying, refused and down as "
    "above.\n\n"
    "status: the agent, its sources with what they refused, and its peers.";

struct request {
  std::string socket = "/run/rancher-desktop-guestagent.sock";
  std::string command;
  bool json = false;
  bool watch = false;
};

void add_flags(program::flag_set& flags, request& r) {
  flags.add("socket", r.socket, program::path, "The `path` of the agent's status socket.");
  flags.add("json", r.json, "Print JSON instead of tables.");
  flags.add("watch", r.watch, "Keep running and reprint after every change, until interrupted.");
}

// Fails when the reader has gone: SIGPIPE is ignored, and --watch would continue for ever.
base::result<> print(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  return written ? base::result<>{} : base::fail_errno("standard output");
}

// The agent's own JSON, so that members unknown here are printed, too.
base::result<> show_json(bool ports, std::string_view text) {
  const auto document = json::parse(text, {.bytes = status_document::max_document_bytes});
  if (!document) return base::fail("the agent's answer: " + document.error().message());
  const auto* list = ports ? json::find(*document, "ports") : nullptr;
  return print(json::serialize(list == nullptr ? *document : *list) + "\n");
}

base::result<> show(const request& r, std::string_view text) {
  const bool ports = r.command == "ports";
  if (r.json) return show_json(ports, text);
  const auto shown = status_document::decode(text);
  if (!shown) return base::fail("the agent's answer: " + shown.error().message());
  const std::string_view clear = r.watch && ::isatty(STDOUT_FILENO) != 0 ? "\x1b[H\x1b[2J" : "";
  return print(std::string(clear) + (ports ? list_ports(*shown) : list_status(*shown)) + (r.watch ? "\n" : ""));
}

base::result<> check_status(const http::response& answer) {
  if (answer.status == 200) return {};
  return base::fail("the agent answered " + std::to_string(answer.status) + ": " +
                    base::printable(base::trim(answer.body)));
}

async::task<base::result<>> follow(const request& r, http::connection& agent) {
  http::request watch{.target = "/v1/status/watch"};
  const auto head = co_await agent.open_stream(std::move(watch), http::exchange_limits());
  if (!head) co_return std::unexpected(head.error());
  if (auto good = check_status(*head); !good) co_return good;
  json::stream_splitter documents({.bytes = status_document::max_document_bytes});
  while (true) {
    const auto piece = co_await agent.read_some();
    if (!piece) co_return base::fail("the agent has stopped (" + piece.error().message() + ")");
    if (piece->empty()) co_return base::fail("the agent has stopped");
    const auto fed = documents.feed(*piece);
    while (const auto document = documents.next())
      if (auto shown = show(r, *document); !shown) co_return shown;
    if (!fed) co_return base::fail("the agent's answer: " + fed.error().message());
  }
}

async::task<base::result<>> ask(const request& r) {
  auto agent = co_await http::connection::open({.path = r.socket}, 2s);
  if (!agent) co_return base::fail(agent.error().message() + " (is the agent running, and are you root?)");
  if (r.watch) co_return co_await follow(r, *agent);
  http::request status{.target = "/v1/status"};
  const http::exchange_limits limits{.deadline = 5s, .body_bytes = status_document::max_document_bytes};
  const auto answer = co_await agent->exchange(std::move(status), limits);
  if (!answer) co_return std::unexpected(answer.error());
  if (auto good = check_status(*answer); !good) co_return good;
  co_return show(r, answer->body);
}

async::task<> keep(async::task<base::result<>> work, base::result<>& into, boost::asio::io_context& context) {
  into = co_await std::move(work);
  context.stop();
}

async::task<> stop_on_signal(boost::asio::io_context& context) {
  co_await os::stop_signal();
  context.stop();
}

}  // namespace

int run(int argc, const char* const* argv) {
  os::catch_stop_signals();
  request r;
  program::command_line line({.name = program_name, .description = description, .commands = {"ports", "status"}});
  add_flags(line.flags(), r);
  if (const auto code = line.parse(argc, argv)) return *code;
  r.command = line.command();
  boost::asio::io_context context(1);
  async::task_group tasks(context.get_executor());
  base::result<> outcome;
  tasks.spawn("signals", stop_on_signal(context));
  tasks.spawn("ask", keep(ask(r), outcome, context));
  context.run();
  return outcome ? program::exit_ok : program::report_failure(program_name, outcome.error().message());
}

}  // namespace guestagentctl
