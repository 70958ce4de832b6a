#include "kernel/netlink/address_watch.hpp"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <cstring>
#include <expected>
#include <utility>

#include "async/task.hpp"
#include "base/result.hpp"
#include "kernel/netlink/change_watch.hpp"

namespace netlink {

base::result<address_watch> address_watch::open(const async::executor& where) {
  auto made = change_watch::open(where, {.rules = false, .ipv6 = true});
  if (!made) return std::unexpected(made.error());
  return address_watch(std::move(*made));
}

}  // namespace netlink
