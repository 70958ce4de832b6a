// change_watch: tells when the packet filter's rules (nftables, which iptables-nft writes too) or the machine's IPv4
// addresses have changed in the network namespace in which it was opened. Costs nothing while they do not.
// iptables-legacy announces nothing: its tables have to be looked at.
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
  bool addresses = true;                     // false: of the rules alone
  std::chrono::milliseconds gathering{100};  // from the first change to the telling
};

class change_watch {
 public:
  // Fails where the kernel lets us listen to nothing of it; see sees_rules().
  static base::result<change_watch> open(const async::executor& where, watch_options options = {});

  [[nodiscard]] bool sees_rules() const { return static_cast<bool>(rules_); }

  // Changes of the rules that this process makes, made within the last few, are not told of.
  void ignore(pid_t process);

  // Returns `gathering` after a change that was not told of yet; what comes in between is told of together.
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
