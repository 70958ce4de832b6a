#include "programs/guestagentctl/port_wait.hpp"

#include <fmt/format.h>

#include <chrono>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/clock.hpp"
#include "async/condition.hpp"
#include "async/first_of.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/result.hpp"
#include "net/endpoint.hpp"
#include "os/standard_streams.hpp"
#include "program/command_line.hpp"
#include "programs/guestagentctl/agent_client.hpp"
#include "programs/guestagentctl/agent_network.hpp"
#include "programs/guestagentctl/answer_check.hpp"
#include "programs/guestagentctl/explain.hpp"
#include "programs/guestagentctl/readiness.hpp"
#include "programs/guestagentctl/request.hpp"

namespace guestagentctl {
namespace {

using namespace std::chrono_literals;

constexpr auto pause_between_tries = 200ms;

// Each of the places has to answer.
async::task<base::result<>> check_answers(std::vector<net::endpoint> places, answer_limits limits) {
  for (const auto& place : places)
    if (auto answered = co_await check_answer(place, limits); !answered) co_return answered;
  co_return base::result<>{};
}

class port_wait {
 public:
  port_wait(const async::executor& where, std::string socket, question asked, answer_limits limits)
      : socket_(std::move(socket)), asked_(std::move(asked)), limits_(limits), changed_(where) {}

  // Returns when waiting longer changes nothing.
  async::task<> run() { co_await async::first_of(follow_agent(), ask_port()); }

  [[nodiscard]] int exit_code() const {
    switch (judged_.state) {
      case readiness::open: return answers_ || judged_.inside.empty() ? program::exit_ok : exit_timeout;
      case readiness::conflict: return exit_conflict;
      case readiness::left_out: return exit_left_out;
      case readiness::opening: break;
    }
    return exit_timeout;
  }

  [[nodiscard]] std::string text() const {
    if (judged_.state != readiness::open) return judged_.text;
    if (judged_.inside.empty()) return judged_.text + " is open";
    if (answers_) return judged_.text + " answers";
    const auto silence = silence_.empty() ? "has not answered yet" : "does not answer: " + silence_;
    const auto* const where =
        is_in_other_network(socket_) ? "; the agent is in another network namespace, and so may be the port" : "";
    return fmt::format("{} is open, and {}{}", judged_.text, silence, where);
  }

 private:
  // Until the documents alone are enough.
  async::task<> follow_agent() {
    while (true) {
      auto take = [this](std::string_view text) { return read(text); };
      const auto followed = co_await follow_status(socket_, std::move(take));
      if (followed) co_return;
      judged_ = {readiness::opening, followed.error().message()};
      co_await async::sleep_for(pause_between_tries);
    }
  }

  base::result<appetite> read(std::string_view text) {
    const auto shown = read_document(text);
    if (!shown) return std::unexpected(shown.error());
    auto judged = judge(*shown, asked_);
    if (judged.inside != judged_.inside) silence_.clear();
    judged_ = std::move(judged);
    changed_.notify_all();
    const bool is_open = judged_.state == readiness::open;
    const bool is_final = judged_.state == readiness::left_out || (is_open && judged_.inside.empty());
    return is_final ? appetite::enough : appetite::more;
  }

  // Until the port answers where the last document has it.
  async::task<> ask_port() {
    while (!answers_) {
      while (judged_.inside.empty()) co_await changed_.wait();
      const auto places = judged_.inside;
      const auto answered = co_await check_answers(places, limits_);
      if (judged_.inside != places) continue;
      answers_ = answered.has_value();
      if (answers_) break;
      silence_ = answered.error().message();
      co_await async::sleep_for(pause_between_tries);
    }
  }

  std::string socket_;
  question asked_;
  answer_limits limits_;
  async::condition changed_;  // judged_
  judgement judged_{readiness::opening, "the agent has not answered"};
  std::string silence_;  // why the port did not answer the last time; empty: not known yet
  bool answers_ = false;
};

}  // namespace

async::task<base::result<int>> wait_for_port(const request& r, answer_limits limits) {
  const auto asked = r.wait.value_or(question{});
  port_wait wait(co_await async::asio::this_coro::executor, r.socket, asked, limits);
  static_cast<void>(co_await async::within(r.timeout, wait.run()));
  const int code = wait.exit_code();
  const auto text = wait.text();
  if (code == program::exit_ok) {
    if (auto printed = os::print(text + '\n'); !printed) co_return std::unexpected(printed.error());
    co_return code;
  }
  if (code == exit_left_out) co_return program::report_failure("guestagentctl", text, code);
  const auto late = fmt::format("{}/{} is not ready after {} s: {}", asked.port.value_or(0), asked.protocol,
                                static_cast<double>(r.timeout.count()) / 1000, text);
  co_return program::report_failure("guestagentctl", late, code);
}

}  // namespace guestagentctl
