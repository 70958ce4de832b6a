// change_watch: reports changes of the packet filter's rules (nftables, which iptables-nft writes too) and of the
// machine's IPv4 addresses, in the network namespace in which it was opened. Costs nothing while nothing changes.
// iptables-legacy announces nothing: its tables must be read.
#pragma once

#include <sys/types.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <deque>

#include "async/task.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace netlink {

struct watch_options {
  bool addresses = true;                     // false: rules only
  std::chrono::milliseconds gathering{100};  // from the first change to the report
};

class change_watch {
 public:
  // Fails if the kernel denies both subscriptions; see sees_rules().
  static base::result<change_watch> open(const async::executor& where, watch_options options = {});

  [[nodiscard]] bool sees_rules() const { return static_cast<bool>(rules_); }

  // The last few changes of the rules by this process are not reported.
  void ignore(pid_t process);

  // Returns `gathering` after the first unreported change, and reports all changes until then together.
  // Cancelled: throws operation_aborted.
  async::task<> changed();

 private:
  change_watch(const async::executor& where, int epoll, base::unique_fd rules, base::unique_fd addresses,
               std::chrono::milliseconds gathering);
  [[nodiscard]] bool read_rules();
  [[nodiscard]] bool read_addresses();

  async::asio::posix::stream_descriptor either_;  // an epoll of the two
  base::unique_fd rules_, addresses_;
  std::chrono::milliseconds gathering_;
  std::deque<pid_t> ignored_;
};

}  // namespace netlink
