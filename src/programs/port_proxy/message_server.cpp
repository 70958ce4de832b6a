#include "programs/port_proxy/message_server.hpp"

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/task_group.hpp"
#include "async/timeout.hpp"
#include "base/episode.hpp"
#include "base/log.hpp"
#include "base/unique_fd.hpp"
#include "os/acceptor.hpp"
#include "programs/port_proxy/caller.hpp"
#include "programs/port_proxy/connection_slots.hpp"
#include "programs/port_proxy/message_connection.hpp"

namespace port_proxy {
namespace {

namespace log = base::log;

constexpr std::string_view component = "messages";

using connection_ptr = std::shared_ptr<message_connection>;

}  // namespace

struct message_server::state {
  state(async::executor w, base::unique_fd listening, handler h, message_server_options o)
      : where(std::move(w)),
        clients(where, std::move(listening), std::string(component)),
        take(std::move(h)),
        options(std::move(o)),
        tasks(where) {}

  async::executor where;
  os::socket_acceptor clients;
  handler take;
  message_server_options options;
  std::list<connection_ptr> connections;  // in the order of their arrival
  std::uint64_t accepted = 0;
  log::throttle ignored, refused, displaced, silent;
  async::task_group tasks;

  async::task<> accept_loop();
  async::task<> watch(connection_ptr c);
  bool take_in(base::unique_fd client);
  [[nodiscard]] bool make_room(const caller& newcomer);
  void drain_all();
};

void message_server::state::drain_all() {
  for (const auto& c : connections) c->drain(take, ignored);
  std::erase_if(connections, [](const auto& c) { return !c->is_open(); });
}

// Whether there is a slot for one more of that caller's connections. A connection is read before it is closed.
bool message_server::state::make_room(const caller& newcomer) {
  if (connections.size() < options.max_connections) return true;
  drain_all();
  if (connections.size() < options.max_connections) return true;
  std::vector<connection_slot> taken;
  for (const auto& c : connections) taken.push_back({c->who(), c->heard()});
  const auto victim = choose_victim(taken, newcomer, options.max_connections);
  if (!victim) return false;
  const auto at = std::next(connections.begin(), static_cast<std::ptrdiff_t>(*victim));
  log::throttled(displaced, log::level::warn, component,
                 "connection limit reached, closed the longest idle one connection={} pid={}", (*at)->number(),
                 (*at)->who().pid);
  (*at)->close();
  connections.erase(at);
  return true;
}

// False: the client is refused.
bool message_server::state::take_in(base::unique_fd client) {
  if (options.admit && !options.admit(client.get())) {
    log::throttled(refused, log::level::warn, component,
                   "refused a connection reason=\"its owner is neither root nor this program's user\"");
    return false;
  }
  const auto who = caller_at(client.get());
  if (!make_room(who)) {
    log::throttled(refused, log::level::warn, component, "refused a connection reason=\"too many connections\" pid={}",
                   who.pid);
    return false;
  }
  const auto c = std::make_shared<message_connection>(where, std::move(client), ++accepted, who);
  connections.push_back(c);
  tasks.spawn("connection " + std::to_string(c->number()), watch(c));
  return true;
}

// Whichever connection becomes readable, all are read: an older one may hold an earlier message of the same sender.
async::task<> message_server::state::watch(connection_ptr c) {
  while (c->is_open()) {
    const auto silent_at = c->heard() + options.idle_limit;
    const auto readable = co_await async::until(silent_at, c->readable());
    if (!c->is_open()) co_return;
    if (readable) {
      drain_all();
    } else if (async::clock::now() >= c->heard() + options.idle_limit) {
      log::throttled(silent, log::level::warn, component, "closed a silent connection connection={}", c->number());
      c->close();
      std::erase(connections, c);
    }
  }
}

async::task<> message_server::state::accept_loop() {
  while (true) {
    auto client = co_await clients.accept();
    if (take_in(std::move(client.fd))) drain_all();
    co_await async::yield();
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
