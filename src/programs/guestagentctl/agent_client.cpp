#include "programs/guestagentctl/agent_client.hpp"

#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "http/connection.hpp"
#include "http/message.hpp"
#include "json/stream_splitter.hpp"
#include "protocols/status_document/document.hpp"
#include "protocols/status_document/document_codec.hpp"

namespace guestagentctl {
namespace {

using namespace std::chrono_literals;

constexpr auto connect_limit = 2s, answer_limit = 5s;

// The agent writes a document every ten seconds: one that sends none for longer hangs, whatever else it sends.
constexpr auto document_limit = 30s;

base::result<> check_status(const http::response& answer) {
  if (answer.status == 200) return {};
  return base::fail("the agent answered " + std::to_string(answer.status) + ": " +
                    base::printable(base::trim(answer.body)));
}

async::task<base::result<http::connection>> open(std::string socket) {
  auto agent = co_await http::connection::open({.path = std::move(socket)}, connect_limit);
  if (!agent) co_return base::fail(agent.error().message() + " (is the agent running, and are you root?)");
  co_return agent;
}

}  // namespace

async::task<base::result<std::string>> fetch_document(std::string socket, std::string target) {
  auto agent = co_await open(std::move(socket));
  if (!agent) co_return std::unexpected(agent.error());
  http::request wanted{.target = std::move(target)};
  const http::exchange_limits limits{.deadline = answer_limit, .body_bytes = status_document::max_document_bytes};
  auto answer = co_await agent->exchange(std::move(wanted), limits);
  if (!answer) co_return std::unexpected(answer.error());
  if (auto good = check_status(*answer); !good) co_return std::unexpected(good.error());
  co_return std::move(answer->body);
}

base::result<status_document::document> read_document(std::string_view text) {
  auto shown = status_document::decode(text);
  if (!shown) return base::fail("the agent's answer: " + shown.error().message());
  return shown;
}

async::task<base::result<>> follow_status(std::string socket,
                                          std::function<base::result<appetite>(std::string_view)> take) {
  auto agent = co_await open(std::move(socket));
  if (!agent) co_return std::unexpected(agent.error());
  http::request watch{.target = "/v1/status/watch"};
  auto head = co_await agent->open_stream(std::move(watch), http::exchange_limits());
  if (!head) co_return std::unexpected(head.error());
  if (head->status != 200) head->body = co_await agent->read_reason(answer_limit);
  if (auto good = check_status(*head); !good) co_return good;
  json::stream_splitter documents({.bytes = status_document::max_document_bytes});
  auto deadline = async::clock::now() + document_limit;
  while (true) {
    const auto piece = co_await async::until(deadline, agent->read_some());
    if (!piece) co_return base::fail("the agent has stopped (" + piece.error().message() + ")");
    if (piece->empty()) co_return base::fail("the agent has stopped");
    const auto fed = documents.feed(*piece);
    while (const auto document = documents.next()) {
      const auto taken = take(*document);
      if (!taken) co_return std::unexpected(taken.error());
      if (*taken == appetite::enough) co_return base::result<>{};
      deadline = async::clock::now() + document_limit;
    }
    if (!fed) co_return base::fail("the agent's answer: " + fed.error().message());
  }
}

}  // namespace guestagentctl
