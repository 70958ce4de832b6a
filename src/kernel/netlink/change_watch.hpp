// change_watch: reports changes of the packet filter's rules (nftables, which iptables-nft writes too) and of the
// machine's IPv4 addresses, in the network namespace in which it was opened. Costs nothing while nothing changes.
// iptables-legacy announces nothing: its tables must be read.
#pragma once

#include <sys/types.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <deque>
#include <optional>

#include "async/task.hpp"
#include "base/result.hpp"
#include "kernel/netlink/socket.hpp"

namespace netlink {

struct watch_options {
  bool rules = true;
  bool addresses = true;                     // IPv4
  bool ipv6 = false;                         // with `addresses`: IPv6 too
  std::chrono::milliseconds gathering{100};  // from the first change to the report
};

class change_watch {
 public:
  // Fails if the kernel denies every subscription that is wanted; see sees_rules().
  static base::result<change_watch> open(const async::executor& where, watch_options options = {});

  [[nodiscard]] bool sees_rules() const { return rules_.has_value(); }

  // The last few changes of the rules by this process are not reported.
  void ignore(pid_t process);

  // Returns `gathering` after the first unreported change, and reports all changes until then together.
  // Cancelled: throws operation_aborted.
  async::task<> changed();

 private:
  change_watch(const async::executor& where, int epoll, std::optional<socket> rules, std::optional<socket> addresses,
               std::chrono::milliseconds gathering);
  [[nodiscard]] bool read_rules();

  async::asio::posix::stream_descriptor either_;  // an epoll of the two
  std::optional<socket> rules_, addresses_;
  std::chrono::milliseconds gathering_;
  std::deque<pid_t> ignored_;
};

}  // namespace netlink
