#include "programs/port_proxy/message_server.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <list>
#include <map>
#include <utility>
#include <vector>

#include "async/task_group.hpp"
#include "async/timeout.hpp"
#include "base/episode.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "json/stream_splitter.hpp"
#include "os/acceptor.hpp"
#include "protocols/port_mapping/message_codec.hpp"

namespace port_proxy {
namespace {

namespace log = base::log;
using descriptor = boost::asio::posix::stream_descriptor;

constexpr std::string_view component = "messages";
// The codec bounds the depth: a message that is too deep is ignored, and its connection stays open.
constexpr json::limits message_limits{.bytes = port_mapping::max_message_bytes,
                                      .depth = port_mapping::max_message_bytes};
constexpr std::size_t read_at_once =
    2 * port_mapping::max_message_bytes;  // of one connection, before the next has its turn
constexpr std::size_t oldest_kept = 8;    // of a caller, for which newcomers get no room

struct connection {
  connection(const async::executor& where, int fd, std::uint64_t serial, caller from)
      : stream(where, fd), number(serial), who(from) {}
  descriptor stream;
  std::uint64_t number;
  caller who;
  json::stream_splitter documents{message_limits};
  async::clock::time_point heard = async::clock::now();
  bool open = true;

  void close() {
    open = false;
    stream.close();
  }
};
using connection_ptr = std::shared_ptr<connection>;

async::task<> wait_readable(descriptor& stream) {
  co_await stream.async_wait(descriptor::wait_read, async::nothrow);
  co_await async::check_cancelled();
}

}  // namespace

struct message_server::state {
  state(async::executor w, base::unique_fd l, handler h, message_server_options o)
      : where(std::move(w)),
        from(where, std::move(l), std::string(component)),
        take(std::move(h)),
        options(std::move(o)),
        tasks(where) {}

  async::executor where;
  os::socket_acceptor from;
  handler take;
  message_server_options options;
  std::list<connection_ptr> connections;  // in the order of their arrival
  std::uint64_t accepted = 0;
  log::throttle ignored, refused, displaced, silent;
  async::task_group tasks;

  async::task<> accept_loop();
  async::task<> watch(connection_ptr c);
  void hand_over(const std::string& document, const connection& c);
  void feed(connection& c, std::string_view bytes);
  void drain(connection& c);
  void take_in(base::unique_fd client);
  [[nodiscard]] bool make_room(const caller& newcomer);
  void drain_all();
};

void message_server::state::hand_over(const std::string& document, const connection& c) {
  const auto decoded = port_mapping::decode(document);
  if (!decoded)
    return log::throttled(ignored, log::level::warn, component, "ignored a message connection={} reason=\"{}\"",
                          c.number, base::printable(decoded.error().message()));
  if (decoded->refused_count > 0)
    log::throttled(ignored, log::level::warn, component, "ignored parts of a message connection={} count={} first: {}",
                   c.number, decoded->refused_count, decoded->refused.empty() ? "" : decoded->refused.front());
  take(decoded->accepted, c.who);
}

void message_server::state::feed(connection& c, std::string_view bytes) {
  c.heard = async::clock::now();
  const auto fed = c.documents.feed(bytes);
  while (auto document = c.documents.next()) hand_over(*document, c);
  if (fed) return;
  log::throttled(ignored, log::level::warn, component,
                 "closed a connection that sent no message connection={} reason=\"{}\"", c.number,
                 fed.error().message());
  c.close();
}

// Reads what the kernel has.
void message_server::state::drain(connection& c) {
  std::array<char, 65'536> chunk;
  for (std::size_t total = 0; c.open && total < read_at_once;) {
    const auto got = ::recv(c.stream.native_handle(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (got > 0) {
      total += static_cast<std::size_t>(got);
      feed(c, {chunk.data(), static_cast<std::size_t>(got)});
      continue;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (c.documents.inside())
      log::throttled(ignored, log::level::warn, component, "ignored a message that broke off connection={}", c.number);
    c.close();
  }
}

void message_server::state::drain_all() {
  for (const auto& c : connections) drain(*c);
  std::erase_if(connections, [](const auto& c) { return !c->open; });
}

// Whether there is a slot for one more of that caller's. What has come in on a connection is read before it is closed.
bool message_server::state::make_room(const caller& newcomer) {
  if (connections.size() < options.max_connections) return true;
  drain_all();
  if (connections.size() < options.max_connections) return true;
  std::map<caller, std::vector<connection_ptr>> by_caller;  // each in the order of arrival
  by_caller[newcomer];
  for (const auto& c : connections) by_caller[c->who].push_back(c);
  const auto most =
      std::ranges::max_element(by_caller, {}, [](const auto& of) { return of.second.size(); })->second.size();
  auto& own = by_caller[newcomer];
  auto& from = own.size() == most ? own : std::ranges::find_if(by_caller, [most](const auto& of) {
                                            return of.second.size() == most;
                                          })->second;
  const auto kept = std::min(options.max_connections / 2, oldest_kept);
  if (from.size() <= kept) return false;
  const auto silent_longest = *std::ranges::min_element(from.begin() + static_cast<std::ptrdiff_t>(kept), from.end(),
                                                        {}, [](const auto& c) { return c->heard; });
  log::throttled(displaced, log::level::warn, component,
                 "connection limit reached, closed one that was silent connection={} pid={}", silent_longest->number,
                 silent_longest->who.pid);
  silent_longest->close();
  std::erase(connections, silent_longest);
  return true;
}

void message_server::state::take_in(base::unique_fd client) {
  if (options.admit && !options.admit(client.get()))
    return log::throttled(refused, log::level::warn, component,
                          "refused a connection reason=\"its owner is neither root nor this program's user\"");
  const auto who = caller_at(client.get());
  if (!make_room(who))
    return log::throttled(refused, log::level::warn, component,
                          "refused a connection reason=\"too many connections\" pid={}", who.pid);
  const auto c = connections.emplace_back(std::make_shared<connection>(where, client.release(), ++accepted, who));
  tasks.spawn("connection " + std::to_string(c->number), watch(c));
}

async::task<> message_server::state::watch(connection_ptr c) {
  while (c->open) {
    const auto readable = co_await async::until(c->heard + options.idle_limit, wait_readable(c->stream));
    if (!c->open) co_return;
    if (readable) {
      drain_all();
    } else if (async::clock::now() >= c->heard + options.idle_limit) {
      log::throttled(silent, log::level::warn, component, "closed a silent connection connection={}", c->number);
      c->close();
      std::erase(connections, c);
    }
  }
}

async::task<> message_server::state::accept_loop() {
  while (true) {
    auto client = co_await from.accept();
    take_in(std::move(client.fd));
    drain_all();
  }
}

message_server::message_server(const async::executor& where, base::unique_fd listening, handler take,
                               message_server_options options)
    : state_(std::make_unique<state>(where, std::move(listening), std::move(take), options)) {}

message_server::~message_server() = default;

async::task<> message_server::run() {
  state_->tasks.spawn("accept", state_->accept_loop());
  co_await state_->tasks.join_or_stop();
}

}  // namespace port_proxy
