#include "portproxy/message_server.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <utility>

#include "base/log.hpp"
#include "base/text.hpp"
#include "io/task_group.hpp"
#include "io/timeout.hpp"
#include "portmapping/document_splitter.hpp"
#include "portmapping/message_codec.hpp"

namespace portproxy {
namespace {

namespace log = base::log;
using descriptor = boost::asio::posix::stream_descriptor;

constexpr std::string_view component = "messages";
constexpr std::size_t read_at_once =
    2 * portmapping::max_message_bytes;                 // of one connection, before the next has its turn
constexpr std::chrono::milliseconds accept_pause{100};  // after a failure, such as no descriptors left

struct connection {
  connection(const io::executor& where, int fd, std::uint64_t serial) : stream(where, fd), number(serial) {}
  descriptor stream;
  std::uint64_t number;
  portmapping::document_splitter documents{portmapping::max_message_bytes};
  io::clock::time_point heard = io::clock::now();
  bool open = true;

  void close() {
    open = false;
    stream.close();
  }
};
using connection_ptr = std::shared_ptr<connection>;

io::task<> wait_readable(descriptor& stream) {
  co_await stream.async_wait(descriptor::wait_read, io::nothrow);
  co_await io::check_cancelled();
}

void hand_over(const std::string& document, std::uint64_t number, const message_server::handler& take) {
  const auto decoded = portmapping::decode(document);
  if (!decoded)
    return log::warn(component, "ignored a message connection={} reason=\"{}\"", number,
                     base::printable(decoded.error().message()));
  for (const auto& refused : decoded->refused)
    log::warn(component, "ignored a part of a message connection={} {}", number, refused);
  if (decoded->refused_count > decoded->refused.size())
    log::warn(component, "ignored more parts of a message connection={} count={}", number,
              decoded->refused_count - decoded->refused.size());
  take(decoded->accepted);
}

void feed(connection& c, std::string_view bytes, const message_server::handler& take) {
  c.heard = io::clock::now();
  const auto fed = c.documents.feed(bytes);
  while (auto document = c.documents.next()) hand_over(*document, c.number, take);
  if (fed) return;
  log::warn(component, "closed a connection that sent no message connection={} reason=\"{}\"", c.number,
            fed.error().message());
  c.close();
}

// Reads what the kernel has.
void drain(connection& c, const message_server::handler& take) {
  std::array<char, 65'536> chunk;
  for (std::size_t total = 0; c.open && total < read_at_once;) {
    const auto got = ::recv(c.stream.native_handle(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (got > 0) {
      total += static_cast<std::size_t>(got);
      feed(c, {chunk.data(), static_cast<std::size_t>(got)}, take);
      continue;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (c.documents.inside()) log::warn(component, "ignored a message that broke off connection={}", c.number);
    c.close();
  }
}

}  // namespace

struct message_server::state {
  state(io::executor w, base::unique_fd l, handler h, message_server_options o)
      : where(std::move(w)), listener(std::move(l)), take(std::move(h)), options(o), tasks(where) {}

  io::executor where;
  base::unique_fd listener;
  handler take;
  message_server_options options;
  std::list<connection_ptr> connections;  // in the order of their arrival
  std::uint64_t accepted = 0;
  bool accepts_well = true;
  io::task_group tasks;

  io::task<> accept_loop();
  io::task<> watch(connection_ptr c);
  bool sweep();
  bool accept_all();
  void make_room();
  void drain_all();
};

void message_server::state::drain_all() {
  for (const auto& c : connections) drain(*c, take);
  std::erase_if(connections, [](const auto& c) { return !c->open; });
}

void message_server::state::make_room() {
  if (connections.size() < options.max_connections) return;
  drain_all();
  if (connections.size() < options.max_connections) return;
  const auto silent = std::ranges::min_element(connections, {}, [](const auto& c) { return c->heard; });
  log::warn(component, "closed the most silent of too many connections connection={}", (*silent)->number);
  (*silent)->close();
  connections.erase(silent);
}

// False where the kernel refuses connections.
bool message_server::state::accept_all() {
  for (std::size_t i = 0; i < options.max_connections; ++i) {
    const int fd = ::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    const bool well = fd >= 0 || errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
    if (!well && accepts_well)
      log::error(component, "cannot accept connections, trying on reason=\"{}\"",
                 base::fail_errno("accept").error().message());
    accepts_well = well;
    if (fd < 0) return well;
    make_room();
    const auto c = connections.emplace_back(std::make_shared<connection>(where, fd, ++accepted));
    tasks.spawn("connection " + std::to_string(c->number), watch(c));
  }
  return true;
}

bool message_server::state::sweep() {
  const bool well = accept_all();
  drain_all();
  return well;
}

io::task<> message_server::state::watch(connection_ptr c) {
  while (c->open) {
    const auto readable = co_await io::until(c->heard + options.idle_limit, wait_readable(c->stream));
    if (!c->open) co_return;
    if (readable) {
      sweep();
    } else if (io::clock::now() >= c->heard + options.idle_limit) {
      log::warn(component, "closed a silent connection connection={}", c->number);
      c->close();
      std::erase(connections, c);
    }
  }
}

io::task<> message_server::state::accept_loop() {
  descriptor stream(where, ::fcntl(listener.get(), F_DUPFD_CLOEXEC, 0));
  while (true) {
    co_await wait_readable(stream);
    if (!sweep()) co_await io::sleep_for(accept_pause);
  }
}

message_server::message_server(const io::executor& where, base::unique_fd listening, handler take,
                               message_server_options options)
    : state_(std::make_unique<state>(where, std::move(listening), std::move(take), options)) {}

message_server::~message_server() = default;

io::task<> message_server::run() {
  state_->tasks.spawn("accept", state_->accept_loop());
  co_await state_->tasks.join_or_stop();
}

}  // namespace portproxy
