#include "relay/listener_set.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "relay/event_loop.hpp"
#include "relay/tcp_relay.hpp"
#include "relay/udp_relay.hpp"

namespace relay {

// One thread with its listeners and connections. All but the loop is used in the loop's turns.
class listener_set::shard {
 public:
  shard(counters& count, const relay_options& options)
      : tcp_(std::in_place, loop_, count, options.connect_timeout), udp_(std::in_place, loop_, count, options.udp) {}
  shard(const shard&) = delete;
  shard& operator=(const shard&) = delete;
  ~shard() {
    loop_.call([this] {  // what uses the loop ends before it
      loop_.stop_ticking();
      listeners_.clear();
      tcp_.reset();
      udp_.reset();
    });
  }

  void add(const key& id, net::protocol protocol, base::unique_fd fd, const net::endpoint& target) {
    loop_.call([&] { listeners_[id] = protocol == net::protocol::tcp ? tcp_->listen(std::move(fd), target) : udp_->listen(std::move(fd), target); });
  }
  void remove(const key& id) {
    loop_.call([&] { listeners_.erase(id); });
  }

 private:
  event_loop loop_;
  std::optional<tcp_relay> tcp_;
  std::optional<udp_relay> udp_;
  std::map<key, std::unique_ptr<event_handler>> listeners_;
};

listener_set::listener_set(relay_options options) : options_(options) {}
listener_set::~listener_set() = default;

listener_set::shard& listener_set::next_shard() {
  if (shards_.size() < std::max(1U, options_.shards)) return *shards_.emplace_back(std::make_unique<shard>(count_, options_));
  return *shards_[turn_++ % shards_.size()];
}

// Would a connection to the target arrive at this listener, or at another one of the set?
bool listener_set::loops(const listener_spec& spec) const {
  const auto taken = [this, &spec](const net::address& ip) {
    const net::endpoint at{ip, spec.target.port};
    return at == spec.listen || listeners_.contains({spec.protocol, at});
  };
  if (taken(spec.target.ip)) return true;
  return spec.target.ip.is_loopback() && (taken(net::address::any_v4()) || taken(net::address::any_v6()));
}

base::result<> listener_set::add(const listener_spec& spec) {
  const key id{spec.protocol, spec.listen};
  if (listeners_.contains(id)) return base::fail(std::errc::file_exists, "");
  if (loops(spec)) return base::fail(std::errc::too_many_symbolic_link_levels, "");
  auto fd = open_listener(spec);
  if (!fd) return std::unexpected(fd.error());
  auto& home = next_shard();
  home.add(id, spec.protocol, std::move(*fd), spec.target);
  listeners_[id] = &home;
  return {};
}

bool listener_set::remove(net::protocol protocol, const net::endpoint& listen) {
  const auto at = listeners_.find({protocol, listen});
  if (at == listeners_.end()) return false;
  at->second->remove(at->first);
  listeners_.erase(at);
  return true;
}

bool listener_set::contains(net::protocol protocol, const net::endpoint& listen) const { return listeners_.contains({protocol, listen}); }

}  // namespace relay
