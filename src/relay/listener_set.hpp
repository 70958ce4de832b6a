// listener_set: the data plane that host-switch, wsl-proxy, privileged-service, vtunnel and the agent's loopback relays
// share. A set of TCP and UDP listeners, each relaying to one target. Owns the threads; they start with the first
// listener.
//
// Listeners are keyed by protocol, address and port: removing 127.0.0.1:80 leaves 0.0.0.0:80 alone. All functions are
// called from one thread, the owner's.
//
// A TCP listener belongs to one thread, which hands its connections to the thread with the fewest. A UDP listener has a
// socket for each thread (docs/adr/0028-udp-sockets-for-threads-and-trains-of-datagrams.md).
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/listen_key.hpp"
#include "relay/counters.hpp"
#include "relay/descriptor_budget.hpp"
#include "relay/port_status.hpp"
#include "relay/port_traffic.hpp"
#include "relay/shortage.hpp"
#include "relay/sockets.hpp"
#include "relay/stream_target.hpp"
#include "relay/udp_relay.hpp"

namespace relay {

// One for each processor that this process may use, at most four: for programs whose main work is relaying.
[[nodiscard]] unsigned shards_for_processors();

struct relay_options {
  unsigned shards = 1;  // data-plane threads: TCP connections and UDP clients are spread over them
  std::chrono::milliseconds connect_timeout{10'000};
  udp_limits udp{};
  descriptor_budget* budget = &descriptor_budget::of_process();
};

class listener_set {
 public:
  explicit listener_set(relay_options options = {});
  listener_set(const listener_set&) = delete;
  listener_set& operator=(const listener_set&) = delete;
  ~listener_set();  // closes the listeners and all connections

  // Listens and relays. Errors: no code if a connection to the target would come back to a listener of this set;
  // file_exists if the key exists; otherwise the kernel's code, such as address_in_use or permission_denied.
  // too_many_files_open also says that listeners have used up their share of the descriptors. An error with a code has
  // no context: the caller adds its own.
  base::result<> add(const listener_spec& spec);
  // Relays from a listening stream socket of any kind to a target of any kind, for as long as the set lives.
  base::result<> adopt(base::unique_fd listening, const stream_target& target, admission admit = {});
  // The listening socket is closed when it returns. TCP connections live on, UDP flows end. False: no such key.
  bool remove(net::protocol protocol, const net::endpoint& listen);

  [[nodiscard]] bool contains(net::protocol protocol, const net::endpoint& listen) const;
  [[nodiscard]] std::size_t size() const { return listeners_.size(); }
  // What has passed through each listener since it was added, in the order of their keys; those of adopt() are not in
  // it.
  [[nodiscard]] std::vector<port_status> ports() const;
  [[nodiscard]] const counters& count() const { return count_; }

 private:
  class shard;
  base::result<> start();
  [[nodiscard]] base::result<bool> loops(const listener_spec& spec) const;
  [[nodiscard]] descriptor_lease take_from_a_rich_port();
  [[nodiscard]] bool may_spread(const listener_spec& spec) const;
  struct leased_socket {
    base::unique_fd fd;
    descriptor_lease lease;
  };
  [[nodiscard]] base::result<std::vector<leased_socket>> open(const listener_spec& spec);

  relay_options options_;
  counters count_;
  shortage shortage_;
  struct placed {
    shard* home = nullptr;
    descriptor_lease lease;
  };
  struct port {
    std::shared_ptr<port_traffic> traffic = std::make_shared<port_traffic>();
    std::vector<placed> places;  // one for each socket
  };
  std::map<net::listen_key, port> listeners_;
  std::vector<descriptor_lease> adopted_;
  std::vector<std::unique_ptr<shard>> shards_;
  std::size_t turn_ = 0;
};

}  // namespace relay
