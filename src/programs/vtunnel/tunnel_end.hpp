// tunnel_end: one end of all tunnels of a configuration: its listeners and relays. Control thread only.
#pragma once

#include <list>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "os/claimed_unix_path.hpp"
#include "programs/vtunnel/config_codec.hpp"
#include "programs/vtunnel/sender_guard.hpp"
#include "relay/listener_set.hpp"

namespace vtunnel {

class tunnel_end {
 public:
  // `cid`: of the other end; 1 is this machine. `root_only`: the host end accepts only privileged ports.
  tunnel_end(std::vector<tunnel> tunnels, std::uint32_t cid, bool root_only)
      : tunnels_(std::move(tunnels)), cid_(cid), root_only_(root_only) {}

  // In the VM: opens all listeners. The error names the address that fails.
  base::result<> open_peer();
  // Answers handshakes. Runs until cancelled.
  async::task<> run_peer();
  // On the host: listens for each tunnel once the peer has answered its handshake, and retries a busy port. Runs until
  // cancelled.
  async::task<> run_host();

  [[nodiscard]] const relay::counters& count() const { return relays_.count(); }

 private:
  base::result<base::unique_fd> listen_on(const net::stream_address& at);
  base::result<> open_host(const tunnel& t);
  async::task<> run_host_tunnel(const tunnel* t);

  std::vector<tunnel> tunnels_;
  std::uint32_t cid_;
  bool root_only_;
  std::list<os::claimed_unix_path> files_;
  std::vector<base::unique_fd> handshakes_;
  std::list<sender_guard> guards_;  // outlive the relays, which ask them
  relay::listener_set relays_{{.shards = relay::shards_for_processors()}};
};

}  // namespace vtunnel
