#include "programs/guestagentctl/event_lines.hpp"

#include <chrono>
#include <expected>
#include <string>
#include <string_view>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "base/result.hpp"
#include "os/standard_streams.hpp"
#include "program/command_line.hpp"
#include "programs/guestagentctl/agent_client.hpp"
#include "programs/guestagentctl/changes.hpp"
#include "programs/guestagentctl/request.hpp"

namespace guestagentctl {
namespace {

using namespace std::chrono_literals;

constexpr auto pause_between_tries = 200ms;

struct connection_facts {
  bool answered = false;     // there was a document
  bool reader_gone = false;  // nothing reads the events any more
};

// The events of one connection.
async::task<base::result<>> follow_events(const request& r, change_log& log, connection_facts& seen) {
  co_return co_await follow_status(r.socket, [&](std::string_view text) -> base::result<appetite> {
    const auto shown = read_document(text);
    if (!shown) return std::unexpected(shown.error());
    seen.answered = true;
    std::string lines;
    for (const auto& c : log.compare(*shown)) lines += to_json(c, shown->now) + '\n';
    auto printed = lines.empty() ? base::result<>{} : os::print(lines);
    seen.reader_gone = !printed;
    if (!printed) return std::unexpected(printed.error());
    return appetite::more;
  });
}

}  // namespace

async::task<base::result<int>> print_events(const request& r) {
  change_log log;
  auto alive = async::clock::now();
  for (bool reported = false;; reported = true) {
    connection_facts seen;
    const auto ended = co_await follow_events(r, log, seen);
    if (seen.reader_gone) co_return std::unexpected(ended.error());
    if (seen.answered) alive = async::clock::now();
    if (async::clock::now() - alive >= r.timeout) co_return std::unexpected(ended.error());
    if (seen.answered || !reported)
      program::report_failure("guestagentctl", "waiting for the agent: " + ended.error().message());
    co_await async::sleep_for(pause_between_tries);
  }
}

}  // namespace guestagentctl
