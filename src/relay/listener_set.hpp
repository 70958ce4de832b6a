// listener_set: the data plane that host-switch, wsl-proxy and the agent's loopback fallback share. A set of TCP and
// UDP listeners, each relaying to one target. Owns the threads that do it, which are started with the first listener.
//
// Listeners are keyed by protocol, address and port: taking 127.0.0.1:80 out leaves 0.0.0.0:80 alone. All functions are
// called from one thread, the owner's.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <vector>

#include "base/result.hpp"
#include "net/listen_key.hpp"
#include "relay/counters.hpp"
#include "relay/descriptor_budget.hpp"
#include "relay/shortage.hpp"
#include "relay/sockets.hpp"
#include "relay/stream_target.hpp"
#include "relay/udp_relay.hpp"

namespace relay {

// One for each processor that this process may run on, four at most: for programs that relay as their main work.
[[nodiscard]] unsigned shards_for_processors();

struct relay_options {
  unsigned shards = 1;  // data-plane threads: TCP connections and UDP listeners are spread over them
  std::chrono::milliseconds connect_timeout{10'000};
  udp_limits udp{};
  descriptor_budget* budget = &descriptor_budget::of_process();
};

class listener_set {
 public:
  explicit listener_set(relay_options options = {});
  listener_set(const listener_set&) = delete;
  listener_set& operator=(const listener_set&) = delete;
  ~listener_set();  // closes the listeners and whatever they relay

  // Listens and relays from now on. Errors: without a code where a connection to the target would come back to this
  // listener or another one of this set; file_exists for a key that is there already; otherwise the kernel's, such as
  // address_in_use, permission_denied or too_many_files_open, which is also said where listeners have their share of
  // the descriptors. The context of an error with a code is empty: the caller
  // knows what it asked for.
  base::result<> add(const listener_spec& spec);
  // The same for a stream socket of any kind that listens already, toward a target of any kind, as long as the set
  // lives.
  base::result<> adopt(base::unique_fd listening, const stream_target& target, admission admit = {});
  // When it returns the listening socket is closed. TCP connections live on, UDP flows go. False: there was none.
  bool remove(net::protocol protocol, const net::endpoint& listen);

  [[nodiscard]] bool contains(net::protocol protocol, const net::endpoint& listen) const;
  [[nodiscard]] std::size_t size() const { return listeners_.size(); }
  [[nodiscard]] const counters& count() const { return count_; }

 private:
  class shard;
  base::result<> start();
  [[nodiscard]] base::result<bool> loops(const listener_spec& spec) const;

  relay_options options_;
  counters count_;
  shortage shortage_;
  struct placed {
    shard* home = nullptr;
    descriptor_lease lease;
  };
  std::map<net::listen_key, placed> listeners_;
  std::vector<descriptor_lease> adopted_;
  std::vector<std::unique_ptr<shard>> shards_;
  std::size_t turn_ = 0;
};

}  // namespace relay
