// socket_events: tells when the listening sockets of this network namespace may have changed, by whatever the kernel
// grants: programs of ours at listen(), bind() and close(), and netlink's groups for closed sockets. What it does not
// grant is said once in the log, and tells_all() is false: then somebody has to look from time to time. Events only say
// "may": look at all again.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "async/task.hpp"
#include "kernel/bpf/program.hpp"
#include "kernel/bpf/ring.hpp"
#include "kernel/netlink/sock_diag.hpp"

namespace host_sockets {

class socket_events {
 public:
  enum class event_mode { kernel, nothing };  // nothing: as if the kernel denied everything

  // UDP sockets on ports in `unheard` are not told of.
  socket_events(const async::executor& where, netlink::port_range ignored_ports, event_mode how = event_mode::kernel);

  [[nodiscard]] bool tells_all() const { return tells_all_; }

  // Returns as soon as anything happened since the last forget(), or at the deadline.
  async::task<> wait_until(async::clock::time_point deadline);
  // From now on only what happens from now on counts. To be called before looking. True if a socket was told of that
  // may not be on the list yet: look again a moment later.
  bool forget();

 private:
  void probe_ring(netlink::port_range ignored_ports);
  void probe_closings(netlink::port_range ignored_ports);
  template <class Load>
  bool attach(Load load, const char* what);
  void fall_back_to_all_namespaces(const base::error& why);
  void report_unavailable(std::string_view what, const base::error& why);
  void subscribe(net::protocol protocol, netlink::port_range ignored_ports);
  void watch(int fd, int operation);

  std::optional<bpf::ring> ring_;
  std::vector<bpf::attachment> programs_;
  std::vector<base::unique_fd> closings_;
  async::asio::posix::stream_descriptor any_;  // an epoll of them all, each reported once until it is armed again
  bpf::netns_cookie own_ = bpf::every_namespace;
  bool tells_closes_ = false;
  bool tells_all_ = true;
};

}  // namespace host_sockets
