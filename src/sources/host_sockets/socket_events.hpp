// socket_events: reports when the listening sockets of this network namespace may have changed. Events come from BPF
// programs of ours at listen(), bind() and close(), and from netlink's groups for closed sockets. If the kernel denies
// some of them, the log says so once and is_complete() is false: then the source must also poll. An event only means
// "may have changed": scan all sockets again.
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

  // UDP sockets on `ignored_ports` are not reported.
  socket_events(const async::executor& where, netlink::port_range ignored_ports, event_mode how = event_mode::kernel);

  [[nodiscard]] bool is_complete() const { return is_complete_; }

  // Returns as soon as an event has happened since the last forget(), or at the deadline.
  async::task<> wait_until(async::clock::time_point deadline);
  // Forgets past events. Call it before a scan. True if a reported socket may not be on the list yet: scan again a
  // moment later.
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
  std::vector<netlink::socket> closings_;
  async::asio::posix::stream_descriptor any_;  // an epoll of all, each reported once until it is armed again
  bpf::netns_cookie own_ = bpf::every_namespace;
  bool reports_closes_ = false;
  bool is_complete_ = true;
};

}  // namespace host_sockets
