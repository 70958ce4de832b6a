#include "programs/guestagentctl/live_commands.hpp"

#include <fmt/format.h>

#include <chrono>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/result.hpp"
#include "net/endpoint.hpp"
#include "os/standard_streams.hpp"
#include "program/command_line.hpp"
#include "programs/guestagentctl/agent_client.hpp"
#include "programs/guestagentctl/answer_check.hpp"
#include "programs/guestagentctl/changes.hpp"
#include "programs/guestagentctl/explain.hpp"
#include "programs/guestagentctl/readiness.hpp"
#include "programs/guestagentctl/request.hpp"

namespace guestagentctl {
namespace {

using namespace std::chrono_literals;

constexpr auto pause_between_tries = 200ms;

bool is_final(const judgement& j) { return j.state == readiness::open || j.state == readiness::left_out; }

int exit_code_of(readiness state) {
  switch (state) {
    case readiness::open: return program::exit_ok;
    case readiness::conflict: return exit_conflict;
    case readiness::left_out: return exit_left_out;
    case readiness::opening: break;
  }
  return exit_timeout;
}

// Follows the agent until the judgement is final, by the documents alone.
async::task<base::result<>> follow_judgement(const request& r, judgement& last) {
  co_return co_await follow_status(r.socket, [&](std::string_view text) -> base::result<appetite> {
    const auto shown = read_document(text);
    if (!shown) return std::unexpected(shown.error());
    last = judge(*shown, *r.wait);
    return is_final(last) ? appetite::enough : appetite::more;
  });
}

// Each of the places has to answer.
async::task<base::result<>> check_answers(std::vector<net::endpoint> places) {
  for (const auto& place : places)
    if (auto answered = co_await check_answer(place); !answered) co_return answered;
  co_return base::result<>{};
}

// Until the port is open and answers, or is left out. The agent may start, and start again, meanwhile.
async::task<base::result<>> follow_port(const request& r, judgement& last) {
  while (true) {
    const auto followed = co_await follow_judgement(r, last);
    if (!followed) {
      last = {readiness::opening, followed.error().message()};
    } else if (last.state == readiness::left_out || last.inside.empty()) {
      co_return followed;
    } else {
      auto open = std::exchange(last, {readiness::opening, last.text + " is open, and has not answered yet"});
      const auto answered = co_await check_answers(open.inside);
      if (answered) {
        last = std::move(open);
        co_return answered;
      }
      last.text = fmt::format("{} is open, and does not answer: {}", open.text, answered.error().message());
    }
    co_await async::sleep_for(pause_between_tries);
  }
}

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

async::task<base::result<int>> wait_for_port(const request& r) {
  judgement last{readiness::opening, "the agent has not answered"};
  static_cast<void>(co_await async::within(r.timeout, follow_port(r, last)));
  const int code = exit_code_of(last.state);
  if (last.state == readiness::open) {
    const auto done = last.text + (last.inside.empty() ? " is open\n" : " answers\n");
    if (auto printed = os::print(done); !printed) co_return std::unexpected(printed.error());
    co_return code;
  }
  if (last.state == readiness::left_out) co_return program::report_failure("guestagentctl", last.text, code);
  const auto asked = r.wait.value_or(question{});
  const auto late = fmt::format("{}/{} is not ready after {} s: {}", asked.port.value_or(0), asked.protocol,
                                static_cast<double>(r.timeout.count()) / 1000, last.text);
  co_return program::report_failure("guestagentctl", late, code);
}

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
