#include "http/session.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/asio/write.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/result.hpp"
#include "base/shared_text.hpp"
#include "http/message.hpp"
#include "http/request_head.hpp"
#include "http/server.hpp"

namespace http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast::http;
using parser_type = beast::request_parser<beast::string_body>;
using namespace std::chrono_literals;

// The answer to a request that cannot be parsed; nothing if the bytes were not HTTP.
std::optional<response> complaint(const boost::system::error_code& ec) {
  if (ec == beast::error::body_limit) return text_response(413, "request body too large");
  if (ec == beast::error::header_limit) return text_response(431, "request header too large");
  const bool parse_error = ec.category() == make_error_code(beast::error::bad_method).category();
  if (!parse_error || ec == beast::error::end_of_stream || ec == beast::error::partial_message) return std::nullopt;
  return text_response(400, "400 Bad Request: " + ec.message());
}

async::task<base::result<>> write_response(session& s, response r, bool keep_alive, bool head_only) {
  beast::response<beast::string_body> out(static_cast<beast::status>(r.status), 11);
  out.result(r.status);
  for (const auto& [name, value] : r.headers) out.set(name, value);
  out.body() = std::move(r.body);
  out.keep_alive(keep_alive);
  out.prepare_payload();
  if (head_only) out.body().clear();
  s.set_unsent(out.body().size());
  const auto [ec, sent] = co_await beast::async_write(s.socket, out, async::nothrow);
  s.set_unsent(0);
  co_await async::check_cancelled();
  if (ec) co_return base::fail(static_cast<std::error_code>(ec), "write an answer");
  co_return base::result<>{};
}

async::task<base::result<>> write_bytes(session& s, std::string bytes) {
  const auto [ec, sent] = co_await asio::async_write(s.socket, asio::buffer(bytes), async::nothrow);
  co_await async::check_cancelled();
  if (ec) co_return base::fail(static_cast<std::error_code>(ec), "write a piece");
  co_return base::result<>{};
}

// How a client learns where a stream ends: HTTP/1.0 does not know chunks.
enum class framing : std::uint8_t { chunks, until_close };

// The piece is sent from where it is: a large one that many clients get is in memory once.
async::task<base::result<>> write_framed(session& s, base::shared_text piece, framing how) {
  const bool chunk = how == framing::chunks;
  const auto begin = chunk ? fmt::format("{:x}\r\n", piece.str().size()) : "";
  const std::array<asio::const_buffer, 3> parts{asio::buffer(begin), asio::buffer(piece.str()),
                                                asio::buffer("\r\n", chunk ? 2 : 0)};
  const auto [ec, sent] = co_await asio::async_write(s.socket, parts, async::nothrow);
  co_await async::check_cancelled();
  if (ec) co_return base::fail(static_cast<std::error_code>(ec), "write a piece");
  co_return base::result<>{};
}

async::task<bool> write_piece(session* s, base::shared_text piece, framing how) {
  if (piece.empty()) co_return true;  // an empty chunk would end the stream
  const auto written = co_await async::within(s->server->limits.write, write_framed(*s, std::move(piece), how));
  co_return written.has_value();
}

async::task<> write_stream(session& s, answer a, framing how) {
  const bool chunks = how == framing::chunks;
  std::string head = fmt::format("HTTP/1.1 {} OK\r\n{}\r\n", a.head.status,
                                 chunks ? "Transfer-Encoding: chunked" : "Connection: close");
  for (const auto& [name, value] : a.head.headers) head += fmt::format("{}: {}\r\n", name, value);
  head += "\r\n";
  const auto written = co_await async::within(s.server->limits.write, write_bytes(s, std::move(head)));
  if (!written) co_return;
  session* const self = &s;
  const stream_writer writer = [self, how](base::shared_text piece) {
    return write_piece(self, std::move(piece), how);
  };
  co_await a.stream(writer);
  if (chunks) static_cast<void>(co_await async::within(s.server->limits.write, write_bytes(s, "0\r\n\r\n")));
}

// The library's error, or the answer to send without reading the body.
struct arrival {
  boost::system::error_code failed;
  std::optional<response> refusal;
};

// The outer error is the deadline.
async::task<base::result<arrival>> read_request(session& s, parser_type& parser) {
  const auto [no_header, header] = co_await beast::async_read_header(s.socket, s.buffer, parser, async::nothrow);
  co_await async::check_cancelled();
  if (no_header) co_return arrival{no_header, {}};
  if (auto refusal = check_head(parser.get())) co_return arrival{{}, std::move(refusal)};
  if (parser.is_done()) co_return arrival{};
  if (expects_continue(parser.get())) static_cast<void>(co_await write_bytes(s, "HTTP/1.1 100 Continue\r\n\r\n"));
  const auto [no_body, body] = co_await beast::async_read(s.socket, s.buffer, parser, async::nothrow);
  co_await async::check_cancelled();
  co_return arrival{no_body, {}};
}

// Unread bytes would turn the close into a reset, and the client would lose the answer.
async::task<> drain(session& s) {
  constexpr std::size_t most = 256 << 10;
  std::array<char, 16 << 10> ignored{};
  boost::system::error_code failed;
  s.socket.shutdown(asio::socket_base::shutdown_send, failed);
  for (std::size_t got = 0; !failed && got < most;) {
    const auto [ec, count] = co_await s.socket.async_read_some(asio::buffer(ignored), async::nothrow);
    co_await async::check_cancelled();
    failed = ec;
    got += count;
  }
}

async::task<> refuse(session& s, response r) {
  const auto written = co_await async::within(s.server->limits.write, write_response(s, std::move(r), false, false));
  if (written) static_cast<void>(co_await async::within(500ms, drain(s)));
}

// Whether the connection stays open after the answer. One of HTTP/1.0 never does.
bool keeps_open(session& s, const parser_type& parser) {
  if (parser.get().version() < 11 || !parser.get().keep_alive()) return false;
  const auto standing = s.server->slots.stand(s.id, async::clock::now());
  if (standing.victim) s.server->close(*standing.victim);
  return standing.granted;
}

// One request and its answer; false: close the connection.
async::task<bool> serve_one(session& s) {
  const auto& limits = s.server->limits;
  const auto deadline = async::clock::now() + limits.request;
  parser_type parser;
  parser.header_limit(static_cast<std::uint32_t>(limits.header_bytes));
  parser.body_limit(limits.body_bytes);
  auto arrived = co_await async::until(deadline, read_request(s, parser));
  if (!arrived || !s.socket.is_open()) co_return false;
  auto& read = *arrived;
  if (read.failed) read.refusal = complaint(read.failed);
  if (read.refusal) co_await refuse(s, std::move(*read.refusal));
  if (read.failed || read.refusal) co_return false;
  const bool keep_alive = keeps_open(s, parser);
  const bool head_only = parser.get().method() == beast::verb::head;
  const auto how = parser.get().version() < 11 ? framing::until_close : framing::chunks;
  incoming in{read_head(parser.get()), s.peer};
  in.head.body = std::move(parser.get().body());
  auto a = co_await s.server->handle(std::move(in));
  if (!s.socket.is_open()) co_return false;
  if (a.stream) {
    s.server->slots.stream(s.id);
    co_await write_stream(s, std::move(a), how);
    co_return false;
  }
  s.server->reserve_answer(a.head.body.size(), &s);
  const auto written =
      co_await async::within(limits.write, write_response(s, std::move(a.head), keep_alive, head_only));
  s.server->slots.answered(s.id);
  co_return written&& keep_alive;
}

async::task<> bytes_arrive(session& s) {
  static_cast<void>(co_await s.socket.async_wait(asio::socket_base::wait_read, async::nothrow));
  co_await async::check_cancelled();
}

// Whether the next request begins before the idle time is over.
async::task<bool> is_used_again(session& s) {
  if (s.buffer.size() > 0) co_return true;
  const auto begun = co_await async::within(s.server->limits.idle, bytes_arrive(s));
  co_return begun&& s.socket.is_open();
}

}  // namespace

void server_state::close(slot_table::id id) {
  if (const auto at = open.find(id); at != open.end()) at->second->close();
}

void server_state::reserve_answer(std::size_t size, const session* asker) {
  while (unsent + size > limits.unsent_bytes) {
    std::map<std::string, std::size_t> by_caller;
    for (const auto& [id, s] : open) by_caller[s->peer] += s->unsent;
    session* victim = nullptr;
    for (const auto& [id, s] : open) {
      if (s == asker || s->unsent == 0) continue;
      const auto worse = [&](const session* one) { return std::pair(by_caller[one->peer], ~one->writing_since); };
      if (victim == nullptr || worse(s) > worse(victim)) victim = s;
    }
    if (victim == nullptr) return;
    victim->close();
  }
}

session::session(socket_type s, std::shared_ptr<server_state> st, std::string caller)
    : socket(std::move(s)), server(std::move(st)), id(++server->last_id), peer(std::move(caller)) {
  server->slots.enter(id, peer, async::clock::now());
  server->open[id] = this;
}

session::~session() { close(); }

void session::close() {
  boost::system::error_code ignored;
  socket.close(ignored);
  set_unsent(0);
  server->slots.leave(id);
  server->open.erase(id);
  server->slot_freed.notify_all();
}

void session::set_unsent(std::size_t bytes) {
  server->unsent += bytes;
  server->unsent -= unsent;
  unsent = bytes;
  writing_since = ++server->writes;
}

async::task<> serve_session(std::shared_ptr<session> s) {
  while (co_await serve_one(*s) && co_await is_used_again(*s)) {
  }
}

}  // namespace http
