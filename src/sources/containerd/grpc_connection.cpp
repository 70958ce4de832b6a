#include "sources/containerd/grpc_connection.hpp"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "async/clock.hpp"
#include "async/condition.hpp"
#include "async/first_of.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/stream_address.hpp"
#include "os/connect.hpp"
#include "sources/containerd/grpc_codec.hpp"
#include "sources/containerd/http2_session.hpp"

namespace containerd {
namespace {

using unix_stream = boost::asio::local::stream_protocol;

std::vector<std::pair<std::string, std::string>> header_of(const grpc_request& request,
                                                           std::optional<std::chrono::milliseconds> timeout) {
  std::vector<std::pair<std::string, std::string>> fields = {
      {":method", "POST"},         {":scheme", "http"}, {":path", request.path},
      {":authority", "localhost"}, {"te", "trailers"},  {"content-type", "application/grpc"},
      {"user-agent", "guestagent"}};
  if (timeout) fields.emplace_back("grpc-timeout", timeout_text(*timeout));
  if (!request.name_space.empty()) fields.emplace_back("containerd-namespace", request.name_space);
  return fields;
}

async::task<base::result<std::string>> only_message(std::shared_ptr<grpc_call> call) {
  auto first = co_await call->next();
  if (!first) co_return std::unexpected(first.error());
  auto& message = *first;
  if (!message) co_return base::fail("an answer without a message");
  const auto more = co_await call->next();
  if (!more) co_return std::unexpected(more.error());
  if (*more) co_return base::fail("an answer of more than one message");
  co_return std::move(*message);
}

}  // namespace

// Shared by the connection, its tasks and its calls.
struct grpc_connection::state {
  state(const async::executor& executor, std::filesystem::path path, std::chrono::milliseconds limit)
      : where(executor), socket_path(std::move(path)), connect_limit(limit), socket(executor), output(executor) {}

  async::executor where;
  std::filesystem::path socket_path;
  std::chrono::milliseconds connect_limit;
  unix_stream::socket socket;
  http2_session session;
  async::condition output;  // there is something to send, or the connection has ended
  std::map<std::int32_t, grpc_call*> calls;
  std::optional<base::error> ended;

  void add(grpc_call& call, const grpc_request& request, std::optional<std::chrono::milliseconds> timeout);
  void remove(const grpc_call& call);
  // Passes what came on to the calls.
  void deliver();
  // The first reason counts. It has no code: a code would be an answer about the subject of a call.
  void end(const std::string& why);
  base::result<> adopt(base::unique_fd connected);

  static async::task<> run(std::shared_ptr<state> s);
  static async::task<> receive(std::shared_ptr<state> s);
  static async::task<> send(std::shared_ptr<state> s);
};

void grpc_connection::state::add(grpc_call& call, const grpc_request& request,
                                 std::optional<std::chrono::milliseconds> timeout) {
  if (ended) return call.answer_.fail(*ended);
  const auto stream = session.request(header_of(request, timeout), frame_message(request.message));
  if (!stream) return call.answer_.fail(stream.error());
  call.stream_ = *stream;
  calls[*stream] = &call;
  output.notify_all();
}

void grpc_connection::state::remove(const grpc_call& call) {
  if (calls.erase(call.stream_) == 0) return;
  session.cancel(call.stream_);
  output.notify_all();
}

void grpc_connection::state::deliver() {
  for (const auto& e : session.take_events()) {
    const auto found = calls.find(e.stream);
    if (found == calls.end()) continue;
    auto& call = *found->second;
    if (e.what == http2_event::kind::closed) calls.erase(found);
    call.answer_.add(e);
    call.give_credit();
    call.changed_.notify_all();
  }
}

void grpc_connection::state::end(const std::string& why) {
  if (ended) return;
  ended = base::error{{}, why};
  boost::system::error_code ignored;
  socket.close(ignored);
  for (const auto& [stream, call] : std::exchange(calls, {})) {
    call->answer_.fail(*ended);
    call->changed_.notify_all();
  }
  output.notify_all();
}

base::result<> grpc_connection::state::adopt(base::unique_fd connected) {
  boost::system::error_code ec;
  socket.assign(unix_stream(), connected.get(), ec);
  if (ec) return base::fail(static_cast<std::error_code>(ec), "connect " + socket_path.string());
  static_cast<void>(connected.release());
  return {};
}

async::task<> grpc_connection::state::run(std::shared_ptr<state> s) {
  auto connected =
      co_await os::connect_to(net::unix_path{s->socket_path.string()}, async::clock::now() + s->connect_limit);
  if (!connected) co_return s->end(connected.error().message());
  if (s->ended) co_return;
  if (auto adopted = s->adopt(std::move(*connected)); !adopted) co_return s->end(adopted.error().message());
  co_await async::first_of(receive(s), send(s));
}

async::task<> grpc_connection::state::receive(std::shared_ptr<state> s) {
  std::array<char, 16'384> buffer{};
  while (!s->ended) {
    const auto [ec, size] = co_await s->socket.async_read_some(boost::asio::buffer(buffer), async::nothrow);
    co_await async::check_cancelled();
    if (ec == boost::asio::error::eof) co_return s->end("containerd closed the connection");
    if (ec) co_return s->end(ec.message());
    const auto received = s->session.receive({buffer.data(), size});
    s->deliver();
    s->output.notify_all();
    if (!received) co_return s->end(received.error().message());
  }
}

async::task<> grpc_connection::state::send(std::shared_ptr<state> s) {
  while (!s->ended) {
    const auto bytes = s->session.take_output();
    s->deliver();
    if (!bytes) co_return s->end(bytes.error().message());
    if (bytes->empty()) {
      co_await s->output.wait();
      continue;
    }
    const auto [ec, size] = co_await boost::asio::async_write(s->socket, boost::asio::buffer(*bytes), async::nothrow);
    co_await async::check_cancelled();
    if (ec) co_return s->end(ec.message());
  }
}

grpc_connection::grpc_connection(const async::executor& where, std::filesystem::path socket,
                                 std::chrono::milliseconds connect_limit)
    : state_(std::make_shared<state>(where, std::move(socket), connect_limit)), tasks_(where) {}

grpc_connection::~grpc_connection() { state_->end("the connection was closed"); }

std::unique_ptr<grpc_call> grpc_connection::start(grpc_request request) { return start(std::move(request), {}); }

std::unique_ptr<grpc_call> grpc_connection::start(grpc_request request,
                                                  std::optional<std::chrono::milliseconds> timeout) {
  auto call = std::make_unique<grpc_call>(state_);
  state_->add(*call, request, timeout);
  if (!std::exchange(begun_, true)) tasks_.spawn("containerd", state::run(state_));
  return call;
}

grpc_question grpc_connection::send(grpc_request request, std::chrono::milliseconds deadline) {
  const auto when = async::clock::now() + deadline;
  return {start(std::move(request), deadline), when};
}

// The server has the same deadline. Its RST_STREAM may be read before the alarm here is.
async::task<base::result<std::string>> grpc_connection::answer(grpc_question question) {
  const auto call = question.call;
  auto answer = co_await async::until(question.deadline, only_message(std::move(question.call)));
  const bool late = !answer && call->given_up() && async::clock::now() >= question.deadline;
  if (late || (!answer && answer.error().code == std::errc::timed_out)) co_return base::fail(std::errc::timed_out, "");
  co_return answer;
}

grpc_call::grpc_call(std::shared_ptr<grpc_connection::state> connection)
    : connection_(std::move(connection)), changed_(connection_->where) {}

grpc_call::~grpc_call() { connection_->remove(*this); }

async::task<base::result<std::optional<std::string>>> grpc_call::next() {
  while (true) {
    if (auto message = take()) co_return message;
    if (answer_.over()) break;
    co_await changed_.wait();
  }
  if (auto outcome = answer_.outcome(); !outcome) co_return std::unexpected(outcome.error());
  co_return std::nullopt;
}

std::optional<std::string> grpc_call::take() {
  auto message = answer_.take();
  if (message) give_credit();
  return message;
}

void grpc_call::give_credit() {
  const auto credit = answer_.take_credit();
  if (credit == 0 || connection_->ended) return;
  connection_->session.consumed(stream_, credit);
  connection_->output.notify_all();
}

}  // namespace containerd
