#include "http/connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cerrno>
#include <optional>

#include "async/timeout.hpp"
#include "http/any_stream.hpp"
#include "http/resolve.hpp"
#include "http/tls_state.hpp"
#include "net/stream_address.hpp"
#include "os/connect.hpp"

namespace http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast::http;
using socket_type = any_stream::socket_type;
using stream_parser = beast::response_parser<beast::buffer_body>;

constexpr std::uint32_t header_bytes = 64 << 10;
constexpr int most_interim_answers = 8;

std::unexpected<base::error> failure(const boost::system::error_code& ec, std::string context) {
  return base::fail(static_cast<std::error_code>(ec), std::move(context));
}

void set_option(socket_type& socket, int name, int value) {
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, name, &value, sizeof value);
}

// A peer that vanished without a word is noticed within half a minute, also while nothing is sent.
void tune(socket_type& socket) {
  const int fd = socket.native_handle();
  const auto set = [fd](int level, int name, int value) { ::setsockopt(fd, level, name, &value, sizeof value); };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 10);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 20'000);
}

base::result<> adopt(socket_type& socket, int family, base::unique_fd fd) {
  boost::system::error_code ec;
  socket.assign({family, family == AF_UNIX ? 0 : IPPROTO_TCP}, fd.get(), ec);
  if (ec) return failure(ec, "");
  static_cast<void>(fd.release());
  return {};
}

async::task<base::result<>> connect_socket(socket_type& socket, net::stream_address to,
                                           async::clock::time_point deadline) {
  const int family = net::to_sockaddr(to).storage.ss_family;
  auto connected = co_await os::connect_to(std::move(to), deadline);
  if (!connected) co_return base::fail(connected.error().code, "");  // the URL is in front of it
  co_return adopt(socket, family, std::move(*connected));
}

// Each address gets an equal share of the time that is left, so that a silent one leaves time for the others.
async::task<base::result<>> connect_tcp(socket_type& socket, const server_address& address,
                                        async::clock::time_point deadline) {
  const auto found = co_await resolve(address.host, address.port);
  if (!found) co_return std::unexpected(found.error());
  base::result<> last;
  auto left = static_cast<int>(found->size());
  for (const auto& at : *found) {
    const auto now = async::clock::now();
    last = co_await connect_socket(socket, at, now + (deadline - now) / left--);
    if (!last) continue;
    tune(socket);
    break;
  }
  co_return last;
}

async::task<base::result<>> connect_any(socket_type& socket, const server_address& address,
                                        async::clock::time_point deadline) {
  if (address.path.empty()) co_return co_await connect_tcp(socket, address, deadline);
  co_return co_await connect_socket(socket, net::unix_path{address.path}, deadline);
}

// Has OpenSSL check the certificate's name itself: then its verdict says so where it is the name that is wrong.
bool expect_name(::SSL* tls, const std::string& name, bool is_address) {
  auto* wanted = ::SSL_get0_param(tls);
  ::X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return (is_address ? ::X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str())
                     : ::X509_VERIFY_PARAM_set1_host(wanted, name.c_str(), name.size())) == 1;
}

std::string verdict(long verified, const std::string& name) {
  const bool other = verified == X509_V_ERR_HOSTNAME_MISMATCH || verified == X509_V_ERR_IP_ADDRESS_MISMATCH;
  return std::string("TLS: ") + ::X509_verify_cert_error_string(verified) + (other ? ": not for " + name : "");
}

// The name by which the certificate is checked, which SNI does not allow to be an address.
async::task<base::result<>> shake_hands(any_stream& stream, const tls_context& with, const std::string& host) {
  auto& settings = with.inner();
  auto& tls = stream.start_tls(settings.context);
  const auto& name = settings.server_name.empty() ? host : settings.server_name;
  const bool is_address = net::address::parse(name).has_value();
  if (!is_address)
    ::SSL_ctrl(tls.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               const_cast<char*>(name.c_str()));
  boost::system::error_code ec;
  tls.set_verify_mode(settings.insecure ? asio::ssl::verify_none : asio::ssl::verify_peer, ec);
  if (!expect_name(tls.native_handle(), name, is_address)) co_return base::fail("TLS: no name of a server: " + name);
  const auto [failed] = co_await tls.async_handshake(asio::ssl::stream_base::client, async::nothrow);
  co_await async::check_cancelled();
  if (!failed) co_return base::result<>{};
  const auto verified = ::SSL_get_verify_result(tls.native_handle());
  if (!settings.insecure && verified != X509_V_OK) co_return base::fail(verdict(verified, name));
  co_return failure(failed, "TLS");
}

std::string host_header(const server_address& address, bool encrypted) {
  if (!address.path.empty()) return "localhost";
  const auto url = to_string(address).substr(std::string_view("http://").size());
  return address.port == (encrypted ? 443 : 80) ? url.substr(0, url.rfind(':')) : url;
}

// The header of the final answer: interim ones (100 Continue, 103 Early Hints …) are passed over.
template <class Parser>
async::task<boost::system::error_code> read_head(any_stream& socket, boost::beast::flat_buffer& buffer,
                                                 std::optional<Parser>& parser,
                                                 boost::optional<std::uint64_t> body_bytes) {
  for (int i = 0; i <= most_interim_answers; ++i) {
    parser.emplace();
    parser->header_limit(header_bytes);
    parser->body_limit(body_bytes);
    const auto [ec, got] = co_await beast::async_read_header(socket, buffer, *parser, async::nothrow);
    co_await async::check_cancelled();
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
  explicit state(const async::executor& where) : stream_(where) {}
  server_address address;
  any_stream stream_;
  socket_type& socket = stream_.socket();
  boost::beast::flat_buffer buffer{1 << 20};
  bool idle = true;  // no exchange under way, none was left halfway, and nothing came that nobody asked for
  std::optional<stream_parser> stream;
  std::unique_ptr<std::array<char, 32768>> chunk_storage;

  std::shared_ptr<const tls_context> tls;

  [[nodiscard]] std::string url() const {
    auto text = to_string(address);
    return tls && address.path.empty() ? text.insert(std::string_view("http").size(), "s") : text;
  }
  async::task<base::result<>> open_socket(async::clock::time_point deadline);
  async::task<base::result<>> send(request r);
  async::task<base::result<response>> exchange(request r, std::size_t body_bytes);
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
  idle = false;
  beast::request<beast::string_body> out(beast::string_to_verb(r.method), r.target, 11, std::move(r.body));
  if (out.method() == beast::verb::unknown) out.method_string(r.method);
  out.set(beast::field::host, host_header(address, stream_.encrypted()));
  out.set(beast::field::user_agent, "guestagent");
  for (const auto& [name, value] : r.headers) out.set(name, value);
  if (!out.body().empty() || out.method() == beast::verb::post) out.prepare_payload();
  const auto [ec, sent] = co_await beast::async_write(stream_, out, async::nothrow);
  co_await async::check_cancelled();
  if (ec) co_return broken(ec, "send a request");
  co_return base::result<>{};
}

async::task<base::result<response>> connection::state::exchange(request r, std::size_t body_bytes) {
  const bool head = r.method == "HEAD";
  if (auto sent = co_await send(std::move(r)); !sent) co_return std::unexpected(sent.error());
  std::optional<beast::response_parser<beast::string_body>> parser;
  const boost::optional<std::uint64_t> limit(!head, body_bytes);  // what HEAD names is not sent
  if (const auto ec = co_await read_head(stream_, buffer, parser, limit)) co_return broken(ec, "read an answer");
  if (!head && !parser->is_done()) {
    const auto [ec, got] = co_await beast::async_read(stream_, buffer, *parser, async::nothrow);
    co_await async::check_cancelled();
    if (ec) co_return broken(ec, "read an answer");
  }
  auto made = head_of(parser->get());
  made.body = std::move(parser->get().body());
  idle = parser->get().keep_alive() && buffer.size() == 0;
  boost::system::error_code ignored;
  if (!idle) socket.close(ignored);
  co_return made;
}

async::task<base::result<response>> connection::state::open_stream(request r) {
  if (auto sent = co_await send(std::move(r)); !sent) co_return std::unexpected(sent.error());
  if (const auto ec = co_await read_head(stream_, buffer, stream, boost::none)) co_return broken(ec, "read an answer");
  co_return head_of(stream->get());
}

connection::connection(std::unique_ptr<state> opened) : state_(std::move(opened)) {}
connection::connection(connection&&) noexcept = default;
connection& connection::operator=(connection&&) noexcept = default;
connection::~connection() = default;

async::task<base::result<>> connection::state::open_socket(async::clock::time_point deadline) {
  auto connected = co_await connect_any(socket, address, deadline);
  if (!connected || !tls) co_return connected;
  co_return co_await shake_hands(stream_, *tls, address.host);
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
  auto answer = co_await async::within(limits.deadline, state_->exchange(std::move(r), limits.body_bytes));
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
    const auto [ec, got] = co_await beast::async_read_some(s.stream_, s.buffer, *s.stream, async::nothrow);
    co_await async::check_cancelled();
    const std::size_t filled = s.chunk_storage->size() - body.size;
    if (ec && ec != beast::error::need_buffer) co_return s.broken(ec, "read the stream");
    if (filled > 0) co_return std::string(s.chunk_storage->data(), filled);
  }
  s.idle = s.stream->get().keep_alive() && s.buffer.size() == 0;
  s.stream.reset();
  boost::system::error_code ignored;
  if (!s.idle) s.socket.close(ignored);
  co_return std::string();
}

// On an idle connection nothing comes in but its end; with TLS, tickets for later sessions may.
bool connection::usable() const {
  if (!state_->idle || !state_->socket.is_open()) return false;
  char byte = 0;
  if (state_->stream_.encrypted())
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

// With a user time-out the kernel gives up at the first probe that finds it over: half an interval after the one that
// had no answer. It counts for bytes that are not acknowledged, too.
void connection::probe_every(std::chrono::seconds interval) {
  const int seconds = static_cast<int>(interval.count());
  set_option(state_->socket, TCP_KEEPIDLE, seconds);
  set_option(state_->socket, TCP_KEEPINTVL, seconds);
  set_option(state_->socket, TCP_USER_TIMEOUT, seconds * 1'500);
}

}  // namespace http
