// address_watch: notifies of changes of the interfaces' addresses (interface_addresses.hpp reads them). Works in the
// network namespace in which it was opened; used from one thread.
#pragma once

#include <utility>

#include "async/task.hpp"
#include "base/result.hpp"
#include "kernel/netlink/change_watch.hpp"

namespace netlink {

class address_watch {
 public:
  // Fails if the kernel denies the subscription.
  static base::result<address_watch> open(const async::executor& where);

  // Returns some 100 ms after the first unreported change of any interface's addresses, and reports all changes until
  // then together. Cancelled: throws operation_aborted.
  async::task<> changed() { return watch_.changed(); }

 private:
  explicit address_watch(change_watch watch) : watch_(std::move(watch)) {}

  change_watch watch_;
};

}  // namespace netlink
