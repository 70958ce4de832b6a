// socket_events: tells when the listening sockets may have changed, by whatever the kernel grants: programs of ours at
// a tracepoint and at bind(), and netlink's groups for closed sockets. What it does not grant is said once in the log,
// and tells_all() is false: then somebody has to look from time to time. Events only say "may": look at all again.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <optional>
#include <vector>

#include "bpf/program.hpp"
#include "bpf/ring.hpp"
#include "io/task.hpp"
#include "netlink/sock_diag.hpp"

namespace listeners {

class socket_events {
 public:
  enum class by { kernel, nothing };  // nothing: as if the kernel denied everything

  // UDP sockets on ports in `unheard` are not told of.
  socket_events(const io::executor& where, netlink::port_range unheard, by how = by::kernel);

  [[nodiscard]] bool tells_all() const { return tells_all_; }

  // Returns as soon as anything happened since the last forget(), or at the deadline.
  io::task<> wait_until(io::clock::time_point deadline);
  // From now on only what happens from now on counts. To be called before looking. True if a socket was told of that
  // may not be on the list yet: look again a moment later.
  bool forget();

 private:
  void probe_ring(netlink::port_range unheard);
  void probe_closings(netlink::port_range unheard);
  bool attach(base::result<bpf::attachment> made, const char* what);
  void subscribe(net::protocol protocol, netlink::port_range unheard);
  void watch(int fd, int operation);

  std::optional<bpf::ring> ring_;
  std::vector<bpf::attachment> programs_;
  std::vector<base::unique_fd> closings_;
  io::asio::posix::stream_descriptor any_;  // an epoll of them all, each reported once until it is armed again
  bool tells_tcp_ = false;
  bool tells_all_ = true;
};

}  // namespace listeners
