#include "relay/listener_set.hpp"

#include <sched.h>

#include <algorithm>
#include <expected>
#include <map>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "kernel/netlink/route.hpp"
#include "net/address.hpp"
#include "net/endpoint.hpp"
#include "net/listen_key.hpp"
#include "net/protocol.hpp"
#include "os/event_loop.hpp"
#include "relay/counters.hpp"
#include "relay/descriptor_budget.hpp"
#include "relay/port_status.hpp"
#include "relay/port_traffic.hpp"
#include "relay/shortage.hpp"
#include "relay/sockets.hpp"
#include "relay/stream_target.hpp"
#include "relay/tcp_relay.hpp"
#include "relay/udp_relay.hpp"

namespace relay {

// Not what the machine has: a second thread on the same processor would only take turns with the first one.
unsigned shards_for_processors() {
  cpu_set_t usable;
  const bool known = ::sched_getaffinity(0, sizeof usable, &usable) == 0;
  return std::clamp(known ? static_cast<unsigned>(CPU_COUNT(&usable)) : 1U, 1U, 4U);
}

// One thread with its listeners and connections. All but the loop is used in the loop's turns.
class listener_set::shard {
 public:
  shard(counters& count, shortage& shortage, const relay_options& options)
      : tcp_(std::make_unique<tcp_relay>(loop_, count, shortage, *options.budget, options.connect_timeout)),
        udp_(std::make_unique<udp_relay>(loop_, count, *options.budget, options.udp)) {}
  shard(const shard&) = delete;
  shard& operator=(const shard&) = delete;
  ~shard() {
    loop_.call([this] {  // what uses the loop ends before it
      loop_.stop_ticking();
      listeners_.clear();
      adopted_.clear();
      tcp_.reset();
      udp_.reset();
    });
  }

  [[nodiscard]] tcp_relay* tcp() { return tcp_.get(); }
  base::result<> add(const net::listen_key& id, const listener_spec& spec, base::unique_fd fd,
                     const std::shared_ptr<port_traffic>& traffic) {
    base::result<> done;
    loop_.call([&] {
      auto made = spec.protocol == net::protocol::tcp
                      ? tcp_->listen(std::move(fd), {.address = net::to_sockaddr(spec.target)}, {}, traffic)
                      : udp_->listen(std::move(fd), spec.target, traffic);
      if (made)
        listeners_[id] = std::move(*made);
      else
        done = std::unexpected(made.error());
    });
    return done;
  }
  base::result<> adopt(base::unique_fd fd, const stream_target& target, admission admit) {
    base::result<> done;
    loop_.call([&] {
      auto made = tcp_->listen(std::move(fd), target, std::move(admit));
      if (made)
        adopted_.push_back(std::move(*made));
      else
        done = std::unexpected(made.error());
    });
    return done;
  }
  void remove(const net::listen_key& id) {
    loop_.call([&] { listeners_.erase(id); });
  }
  void remove_all() {
    loop_.call([&] {
      listeners_.clear();
      adopted_.clear();
    });
  }

 private:
  os::event_loop loop_;
  std::unique_ptr<tcp_relay> tcp_;
  std::unique_ptr<udp_relay> udp_;
  std::map<net::listen_key, std::unique_ptr<os::event_handler>> listeners_;
  std::vector<std::unique_ptr<os::event_handler>> adopted_;
};

listener_set::listener_set(relay_options options) : options_(options) {}

// Each thread dispatches connections to the others: none may go before all have stopped.
listener_set::~listener_set() {
  for (const auto& s : shards_) s->remove_all();
}

// The threads start with the first listener.
base::result<> listener_set::start() try {
  if (!shards_.empty()) return {};
  std::vector<std::unique_ptr<shard>> made;
  while (made.size() < std::max(1U, options_.shards))
    made.push_back(std::make_unique<shard>(count_, shortage_, options_));
  std::vector<tcp_relay*> workers;
  for (const auto& s : made) workers.push_back(s->tcp());
  for (const auto& s : made) s->tcp()->set_workers(workers);
  shards_ = std::move(made);
  return {};
} catch (const std::system_error& e) {
  return base::fail(e.code(), "");
}

// Whether a connection to the target would arrive at this listener or another one of the set. A wildcard listener takes
// everything that is sent to this machine, so with one on the target's port the kernel decides whose address it is.
base::result<bool> listener_set::loops(const listener_spec& spec) const {
  const auto taken = [this, &spec](const net::address& ip) {
    const net::endpoint at{ip, spec.target.port};
    return at == spec.listen || contains(spec.protocol, at);
  };
  auto to = spec.target.ip;
  if (to.is_unspecified()) to = to.is_v6() ? net::address::loopback_v6() : net::address::loopback_v4();
  if (taken(to)) return true;
  if (!taken(net::address::any_v4()) && !taken(net::address::any_v6())) return false;
  return to.is_loopback() ? true : netlink::is_local_address(to);
}

// Takes the descriptor of a port that has more than one socket. Empty: there is no such port.
descriptor_lease listener_set::take_from_a_rich_port() {
  const auto rich = std::ranges::find_if(listeners_, [](const auto& item) { return item.second.places.size() > 1; });
  if (rich == listeners_.end()) return {};
  auto& places = rich->second.places;
  places.back().home->remove(rich->first);
  auto lease = std::move(places.back().lease);
  places.pop_back();
  return lease;
}

// Whether a UDP port gets a socket more: as long as more than half of the descriptors for listeners are free.
bool listener_set::may_spread(const listener_spec& spec) const {
  const bool has_filter = spec.clients.prefix_length > 0;  // a socket has room for one
  if (spec.protocol != net::protocol::udp || has_filter || shards_.size() < 2) return false;
  const auto& budget = *options_.budget;
  return budget.available(descriptor_use::listener) > budget.capacity(descriptor_use::listener) / 2;
}

// One socket, or for UDP up to one for each thread.
base::result<std::vector<listener_set::leased_socket>> listener_set::open(const listener_spec& spec) {
  auto& budget = *options_.budget;
  std::vector<leased_socket> opened;
  opened.push_back({{}, budget.take(descriptor_use::listener)});
  if (!opened.front().lease) opened.front().lease = take_from_a_rich_port();
  if (!opened.front().lease) return base::fail(std::errc::too_many_files_open, "");
  const bool several = may_spread(spec);
  auto alone = spec;
  if (several) alone.takes = intake::nothing;
  auto first = open_listener(alone);
  if (!first) return std::unexpected(first.error());
  opened.front().fd = std::move(*first);
  while (opened.size() < shards_.size() && may_spread(spec)) {
    auto fd = open_beside(opened.front().fd, spec);
    if (!fd) break;  // fewer sockets serve as well
    opened.push_back({std::move(*fd), budget.take(descriptor_use::listener)});
  }
  if (several) open_intake(opened.front().fd.get());
  return opened;
}

base::result<> listener_set::add(const listener_spec& spec) {
  const net::listen_key id{spec.protocol, spec.listen.ip, spec.listen.port};
  if (listeners_.contains(id)) return base::fail(std::errc::file_exists, "");
  const auto circle = loops(spec);
  if (!circle) return std::unexpected(circle.error());
  if (*circle) return base::fail("would relay to itself");
  if (auto started = start(); !started) return started;
  auto sockets = open(spec);
  if (!sockets) return std::unexpected(sockets.error());
  auto& made = listeners_[id];
  for (auto& [fd, lease] : *sockets) {
    auto& home = *shards_[turn_++ % shards_.size()];
    if (auto added = home.add(id, spec, std::move(fd), made.traffic); !added) {
      remove(spec.protocol, spec.listen);
      return added;
    }
    made.places.push_back({&home, std::move(lease)});
  }
  return {};
}

base::result<> listener_set::adopt(base::unique_fd listening, const stream_target& target, admission admit) {
  auto lease = options_.budget->take(descriptor_use::listener);
  if (!lease) return base::fail(std::errc::too_many_files_open, "");
  if (auto started = start(); !started) return started;
  auto done = shards_[turn_++ % shards_.size()]->adopt(std::move(listening), target, std::move(admit));
  if (done) adopted_.push_back(std::move(lease));
  return done;
}

bool listener_set::remove(net::protocol protocol, const net::endpoint& listen) {
  const auto at = listeners_.find({protocol, listen.ip, listen.port});
  if (at == listeners_.end()) return false;
  for (const auto& place : at->second.places) place.home->remove(at->first);
  listeners_.erase(at);
  return true;
}

std::vector<port_status> listener_set::ports() const {
  std::vector<port_status> all;
  all.reserve(listeners_.size());
  for (const auto& [key, port] : listeners_) all.push_back(status_of(key, *port.traffic));
  return all;
}

bool listener_set::contains(net::protocol protocol, const net::endpoint& listen) const {
  return listeners_.contains({protocol, listen.ip, listen.port});
}

}  // namespace relay
