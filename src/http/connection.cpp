#include "http/connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/result.hpp"
#include "http/any_stream.hpp"
#include "http/dial.hpp"
#include "http/message.hpp"
#include "http/request_text.hpp"
#include "http/server_address.hpp"
#include "http/tls.hpp"

namespace http {
namespace {

namespace beast = boost::beast::http;
using socket_type = any_stream::socket_type;
using stream_parser = beast::response_parser<beast::buffer_body>;

constexpr std::uint32_t header_bytes = 64 << 10;
constexpr int most_interim_answers = 8;
constexpr std::size_t reason_bytes = 4 << 10;
constexpr std::size_t least_read = 4 << 10, most_read = 64 << 10;

void set_option(socket_type& socket, int name, int value) {
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, name, &value, sizeof value);
}

std::string host_header(const server_address& address, bool encrypted) {
  if (!address.path.empty()) return "localhost";
  const auto url = to_string(address).substr(std::string_view("http://").size());
  return address.port == (encrypted ? 443 : 80) ? url.substr(0, url.rfind(':')) : url;
}

// Bytes that have come and are not parsed yet.
struct inbox {
  boost::beast::flat_buffer bytes{1 << 20};
  std::size_t room = least_read;  // of the next read; grows while reads fill it
};

// Parses what the inbox holds, and reads only if that is not enough. Beast's own operations would suspend for every
// part of a message, and read 512 bytes at a time.
template <class Parser>
async::task<boost::system::error_code> feed(any_stream& socket, inbox& from, Parser& parser) {
  while (true) {
    boost::system::error_code ec = beast::error::need_more;
    if (from.bytes.size() > 0) from.bytes.consume(parser.put(from.bytes.data(), ec));
    if (ec != beast::error::need_more) co_return ec;
    if (from.bytes.size() + from.room > from.bytes.max_size()) co_return beast::error::buffer_overflow;
    const auto [failed, got] = co_await socket.async_read_some(from.bytes.prepare(from.room), async::nothrow);
    co_await async::check_cancelled();
    from.bytes.commit(got);
    if (got == from.room) from.room = std::min(2 * from.room, most_read);
    if (failed == boost::asio::error::eof && !parser.got_some()) co_return beast::error::end_of_stream;
    if (failed && failed != boost::asio::error::eof) co_return failed;
    if (!failed) continue;
    parser.put_eof(ec);
    co_return ec;
  }
}

// Reads the header of the final answer; skips interim ones (100 Continue, 103 Early Hints …).
template <class Parser>
async::task<boost::system::error_code> read_head(any_stream& socket, inbox& from, std::unique_ptr<Parser>& parser,
                                                 boost::optional<std::uint64_t> body_bytes) {
  for (int i = 0; i <= most_interim_answers; ++i) {
    parser = std::make_unique<Parser>();
    parser->header_limit(header_bytes);
    parser->body_limit(body_bytes);
    boost::system::error_code ec;
    while (!ec && !parser->is_header_done()) ec = co_await feed(socket, from, *parser);
    if (ec || parser->get().result_int() / 100 != 1) co_return ec;
  }
  co_return beast::error::bad_status;
}

template <class Message>
response head_of(const Message& message) {
  response made;
  made.status = message.result_int();
  for (const auto& field : message) made.headers[std::string(field.name_string())] = field.value();
  return made;
}

}  // namespace

struct connection::state {
  explicit state(const async::executor& where) : transport(where) {}
  server_address address;
  any_stream transport;
  socket_type& socket = transport.socket();
  inbox received;
  bool idle = true;  // no exchange under way or left halfway, and no unexpected bytes received
  std::unique_ptr<stream_parser> stream;
  std::unique_ptr<std::array<char, 32768>> chunk_storage;

  std::shared_ptr<const tls_context> tls;

  [[nodiscard]] std::string url() const {
    auto text = to_string(address);
    return tls && address.path.empty() ? text.insert(std::string_view("http").size(), "s") : text;
  }
  async::task<base::result<>> open_socket(async::clock::time_point deadline);
  async::task<base::result<>> send(request r);
  async::task<base::result<response>> exchange(request r, exchange_limits limits);
  async::task<base::result<response>> open_stream(request r);
  std::unexpected<base::error> broken(const boost::system::error_code& ec, const char* doing);
  std::unexpected<base::error> broken(base::error why);
};

std::unexpected<base::error> connection::state::broken(base::error why) {
  boost::system::error_code ignored;
  socket.close(ignored);
  why.context = url() + (why.context.empty() ? "" : ": " + why.context);
  return std::unexpected(std::move(why));
}

std::unexpected<base::error> connection::state::broken(const boost::system::error_code& ec, const char* doing) {
  return broken({static_cast<std::error_code>(ec), doing});
}

async::task<base::result<>> connection::state::send(request r) {
  if (!socket.is_open()) co_return base::fail(std::errc::not_connected, url());
  const auto text = to_text(r, host_header(address, transport.encrypted()));
  if (!text) co_return std::unexpected(text.error());
  idle = false;
  boost::system::error_code ec;
  const std::size_t begun = transport.encrypted() ? 0 : socket.write_some(boost::asio::buffer(*text), ec);
  if (begun < text->size() && (!ec || ec == boost::asio::error::would_block)) {
    const auto rest = boost::asio::buffer(*text) + begun;
    ec = std::get<0>(co_await boost::asio::async_write(transport, rest, async::nothrow));
    co_await async::check_cancelled();
  }
  if (ec) co_return broken(ec, "send a request");
  co_return base::result<>{};
}

async::task<base::result<response>> connection::state::exchange(request r, exchange_limits limits) {
  const bool head = r.method == "HEAD";
  if (auto sent = co_await send(std::move(r)); !sent) co_return std::unexpected(sent.error());
  if (limits.sent != nullptr) *limits.sent = async::clock::now();
  std::unique_ptr<beast::response_parser<beast::string_body>> parser;
  const boost::optional<std::uint64_t> limit(!head, limits.body_bytes);  // an answer to HEAD has no body
  if (const auto ec = co_await read_head(transport, received, parser, limit)) co_return broken(ec, "read an answer");
  parser->eager(true);
  while (!head && !parser->is_done())
    if (const auto ec = co_await feed(transport, received, *parser)) co_return broken(ec, "read an answer");
  auto made = head_of(parser->get());
  made.body = std::move(parser->get().body());
  idle = parser->get().keep_alive() && received.bytes.size() == 0;
  boost::system::error_code ignored;
  if (!idle) socket.close(ignored);
  co_return made;
}

async::task<base::result<response>> connection::state::open_stream(request r) {
  if (auto sent = co_await send(std::move(r)); !sent) co_return std::unexpected(sent.error());
  if (const auto ec = co_await read_head(transport, received, stream, boost::none))
    co_return broken(ec, "read an answer");
  co_return head_of(stream->get());
}

connection::connection(std::unique_ptr<state> opened) : state_(std::move(opened)) {}
connection::connection(connection&&) noexcept = default;
connection& connection::operator=(connection&&) noexcept = default;
connection::~connection() = default;

async::task<base::result<>> connection::state::open_socket(async::clock::time_point deadline) {
  auto connected = co_await dial(socket, address, deadline);
  boost::system::error_code ignored;
  if (connected) socket.non_blocking(true, ignored);  // send() writes without waiting first
  if (!connected || !tls) co_return connected;
  co_return co_await tls->shake_hands(transport, address.host);
}

async::task<base::result<connection>> connection::open(server_address address, std::chrono::milliseconds deadline,
                                                       std::shared_ptr<const tls_context> tls) {
  auto s = std::make_unique<state>(co_await async::asio::this_coro::executor);
  s->address = std::move(address);
  s->tls = std::move(tls);
  auto connected = co_await async::within(deadline, s->open_socket(async::clock::now() + deadline));
  if (!connected) co_return s->broken(std::move(connected.error()));
  co_return connection(std::move(s));
}

async::task<base::result<response>> connection::exchange(request r, exchange_limits limits) {
  auto answer = co_await async::within(limits.deadline, state_->exchange(std::move(r), limits));
  if (!answer && answer.error().code == std::errc::timed_out)
    co_return state_->broken({answer.error().code, "no answer"});
  co_return answer;
}

async::task<base::result<response>> connection::open_stream(request r, exchange_limits limits) {
  auto answer = co_await async::within(limits.deadline, state_->open_stream(std::move(r)));
  if (!answer && answer.error().code == std::errc::timed_out)
    co_return state_->broken({answer.error().code, "no answer"});
  co_return answer;
}

async::task<base::result<std::string>> connection::read_some() {
  auto& s = *state_;
  if (!s.stream) co_return base::fail(std::errc::not_connected, s.url());
  if (!s.chunk_storage) s.chunk_storage = std::make_unique<std::array<char, 32768>>();
  auto& body = s.stream->get().body();
  while (!s.stream->is_done()) {
    body.data = s.chunk_storage->data();
    body.size = s.chunk_storage->size();
    const auto ec = co_await feed(s.transport, s.received, *s.stream);
    const std::size_t filled = s.chunk_storage->size() - body.size;
    if (ec && ec != beast::error::need_buffer) co_return s.broken(ec, "read the stream");
    if (filled > 0) co_return std::string(s.chunk_storage->data(), filled);
  }
  s.idle = s.stream->get().keep_alive() && s.received.bytes.size() == 0;
  s.stream.reset();
  boost::system::error_code ignored;
  if (!s.idle) s.socket.close(ignored);
  co_return std::string();
}

async::task<std::string> connection::read_reason(std::chrono::milliseconds limit) {
  const auto deadline = async::clock::now() + limit;
  std::string text;
  while (text.size() < reason_bytes) {
    const auto piece = co_await async::until(deadline, read_some());
    if (!piece || piece->empty()) break;
    text += *piece;
  }
  if (text.size() > reason_bytes) text.resize(reason_bytes);
  co_return text;
}

// An idle connection receives only its end; with TLS it may receive session tickets as well.
bool connection::usable() const {
  if (!state_->idle || !state_->socket.is_open()) return false;
  char byte = 0;
  if (state_->transport.encrypted())
    return ::recv(state_->socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
  return ::recv(state_->socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

async::task<base::result<>> connection::closed() {
  if (!state_->socket.is_open()) co_return base::result<>{};
  co_await state_->socket.async_wait(socket_type::wait_read, async::nothrow);
  co_await async::check_cancelled();
  char byte = 0;
  const bool broken = ::recv(state_->socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
  const base::error why{std::error_code(errno, std::system_category()), "idle"};
  if (broken) co_return state_->broken(why);
  boost::system::error_code ignored;
  state_->socket.close(ignored);
  co_return base::result<>{};
}

// TCP_USER_TIMEOUT overrides TCP_KEEPCNT: the kernel gives up at the first probe after it has passed, half an interval
// after the unanswered one. It also limits how long bytes may stay unacknowledged.
void connection::probe_every(std::chrono::seconds interval) {
  const int seconds = static_cast<int>(interval.count());
  set_option(state_->socket, TCP_KEEPIDLE, seconds);
  set_option(state_->socket, TCP_KEEPINTVL, seconds);
  set_option(state_->socket, TCP_USER_TIMEOUT, seconds * 1'500);
}

}  // namespace http
