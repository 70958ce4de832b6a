#include "http/server.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "base/log.hpp"
#include "io/condition.hpp"
#include "io/task_group.hpp"
#include "io/timeout.hpp"
#include "net/endpoint.hpp"

namespace http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast::http;
using socket_type = asio::generic::stream_protocol::socket;
using parser_type = beast::request_parser<beast::string_body>;

struct shared_state {
  shared_state(const io::executor& where, handler h, server_limits l)
      : handle(std::move(h)), limits(l), slot_freed(where) {}
  handler handle;
  server_limits limits;
  std::size_t open = 0;
  io::condition slot_freed;
};

struct session {
  session(socket_type s, std::shared_ptr<shared_state> st) : socket(std::move(s)), server(std::move(st)) {
    ++server->open;
  }
  session(const session&) = delete;
  session& operator=(const session&) = delete;
  ~session() {
    --server->open;
    server->slot_freed.notify_all();
  }
  socket_type socket;
  std::shared_ptr<shared_state> server;
  boost::beast::flat_buffer buffer;
  std::string peer;
};

std::string peer_of(int fd) {
  net::socket_address address;
  if (::getpeername(fd, address.get(), &address.size) != 0) return {};
  const auto from = net::from_sockaddr(address);
  return from ? from->ip.to_string() : std::string();
}

request to_request(parser_type& parser) {
  request r;
  auto& message = parser.get();
  r.method = message.method_string();
  r.target = message.target();
  for (const auto& field : message) r.headers[std::string(field.name_string())] = field.value();
  r.body = std::move(message.body());
  return r;
}

// What could not be parsed is answered, where it was HTTP at all, before the connection is closed.
std::optional<response> complaint(const boost::system::error_code& ec) {
  if (ec == beast::error::body_limit) return text_response(413, "request body too large");
  if (ec == beast::error::header_limit) return text_response(431, "request header too large");
  const bool parse_error = ec.category() == make_error_code(beast::error::bad_method).category();
  if (!parse_error || ec == beast::error::end_of_stream || ec == beast::error::partial_message) return std::nullopt;
  return text_response(400, "400 Bad Request: " + ec.message());
}

io::task<base::result<>> write_response(session& s, response r, bool keep_alive, bool head_only) {
  beast::response<beast::string_body> out(static_cast<beast::status>(r.status), 11);
  out.result(r.status);
  for (const auto& [name, value] : r.headers) out.set(name, value);
  out.body() = std::move(r.body);
  out.keep_alive(keep_alive);
  out.prepare_payload();
  if (head_only) out.body().clear();
  const auto [ec, sent] = co_await beast::async_write(s.socket, out, io::nothrow);
  co_await io::check_cancelled();
  if (ec) co_return base::fail(static_cast<std::error_code>(ec), "write an answer");
  co_return base::result<>{};
}

io::task<base::result<>> write_bytes(session& s, std::string bytes) {
  const auto [ec, sent] = co_await asio::async_write(s.socket, asio::buffer(bytes), io::nothrow);
  co_await io::check_cancelled();
  if (ec) co_return base::fail(static_cast<std::error_code>(ec), "write a piece");
  co_return base::result<>{};
}

std::string as_chunk(const std::string& piece) { return fmt::format("{:x}\r\n{}\r\n", piece.size(), piece); }

io::task<bool> write_piece(session* s, std::string piece) {
  if (piece.empty()) co_return true;  // an empty chunk would end the stream
  const auto written = co_await io::within(s->server->limits.write, write_bytes(*s, as_chunk(piece)));
  co_return written.has_value();
}

io::task<> write_stream(session& s, answer a) {
  std::string head = fmt::format("HTTP/1.1 {} OK\r\nTransfer-Encoding: chunked\r\n", a.head.status);
  for (const auto& [name, value] : a.head.headers) head += fmt::format("{}: {}\r\n", name, value);
  if (!co_await io::within(s.server->limits.write, write_bytes(s, head + "\r\n"))) co_return;
  session* const self = &s;
  const stream_writer writer = [self](std::string piece) { return write_piece(self, std::move(piece)); };
  co_await a.stream(writer);
  static_cast<void>(co_await io::within(s.server->limits.write, write_bytes(s, "0\r\n\r\n")));
}

// The inner error is the library's, which says whether it is worth an answer; the outer one is the deadline.
io::task<base::result<boost::system::error_code>> read_request(session& s, parser_type& parser) {
  const auto [no_header, header] = co_await beast::async_read_header(s.socket, s.buffer, parser, io::nothrow);
  co_await io::check_cancelled();
  if (no_header || parser.is_done()) co_return no_header;
  if (parser.get()[beast::field::expect] == "100-continue")
    static_cast<void>(co_await write_bytes(s, "HTTP/1.1 100 Continue\r\n\r\n"));
  const auto [no_body, body] = co_await beast::async_read(s.socket, s.buffer, parser, io::nothrow);
  co_await io::check_cancelled();
  co_return no_body;
}

// One request and its answer; false when the connection is to be closed.
io::task<bool> serve_one(session& s) {
  const auto& limits = s.server->limits;
  const auto deadline = io::clock::now() + limits.idle;
  parser_type parser;
  parser.header_limit(static_cast<std::uint32_t>(limits.header_bytes));
  parser.body_limit(limits.body_bytes);
  const auto arrived = co_await io::until(deadline, read_request(s, parser));
  if (!arrived) co_return false;
  if (*arrived) {
    if (auto told = complaint(*arrived))
      static_cast<void>(co_await io::within(limits.write, write_response(s, std::move(*told), false, false)));
    co_return false;
  }
  const bool keep_alive = parser.get().keep_alive();
  const bool head_only = parser.get().method() == beast::verb::head;
  incoming in{to_request(parser), s.peer};
  auto a = co_await s.server->handle(std::move(in));
  if (a.stream) {
    co_await write_stream(s, std::move(a));
    co_return false;
  }
  const auto written = co_await io::within(limits.write, write_response(s, std::move(a.head), keep_alive, head_only));
  co_return written&& keep_alive;
}

io::task<> serve_session(std::shared_ptr<session> s) {
  bool more = true;
  while (more) more = co_await serve_one(*s);  // named: COMMON_ERRORS.md
  boost::system::error_code ignored;
  s->socket.shutdown(socket_type::shutdown_both, ignored);
}

// accept(2) hands on what befell the one connection that it was about to give out.
bool of_one_connection(const boost::system::error_code& ec) {
  namespace errc = boost::system::errc;
  for (const auto kind : {errc::connection_aborted, errc::interrupted, errc::protocol_error, errc::network_down,
                          errc::network_unreachable, errc::host_unreachable, errc::operation_not_permitted})
    if (ec == kind) return true;
  return false;
}

std::shared_ptr<session> make_session(int fd, const io::executor& where, const asio::generic::stream_protocol& protocol,
                                      const std::shared_ptr<shared_state>& state) {
  const int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  auto s = std::make_shared<session>(socket_type(where, protocol, fd), state);
  s->peer = peer_of(fd);
  return s;
}

}  // namespace

io::task<> serve(base::unique_fd listener, handler handle, server_limits limits) {
  const auto where = co_await io::asio::this_coro::executor;
  auto state = std::make_shared<shared_state>(where, std::move(handle), limits);
  net::socket_address bound;
  ::getsockname(listener.get(), bound.get(), &bound.size);
  const asio::generic::stream_protocol protocol(bound.storage.ss_family, 0);
  socket_type acceptor(where, protocol, listener.release());  // only waited on: accept4() is called directly
  acceptor.non_blocking(true);
  io::task_group sessions(where);
  bool told = false;
  while (true) {
    while (state->open >= limits.connections) co_await state->slot_freed.wait();
    const int fd = ::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      told = false;
      sessions.spawn("http session", serve_session(make_session(fd, where, protocol, state)));
      continue;
    }
    const boost::system::error_code ec(errno, boost::system::system_category());
    if (ec == boost::system::errc::operation_would_block) {
      co_await acceptor.async_wait(socket_type::wait_read, io::nothrow);
      co_await io::check_cancelled();
    } else if (!of_one_connection(ec)) {
      if (!std::exchange(told, true))
        base::log::warn("http", "cannot accept for now, will go on by itself reason=\"{}\"", ec.message());
      co_await io::sleep_for(std::chrono::milliseconds(100));
    }
  }
}

}  // namespace http
