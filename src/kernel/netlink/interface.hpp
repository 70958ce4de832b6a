// interface: makes, changes and removes network interfaces of the calling thread's network namespace. Each call is one
// question to the kernel, which answers at once. Needs CAP_NET_ADMIN. Errors carry the kernel's number and name the
// interface.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <string>

#include "async/task.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "kernel/netlink/link_codec.hpp"
#include "kernel/netlink/socket.hpp"

namespace netlink {

// no_such_device: no interface has that name.
[[nodiscard]] base::result<interface_state> find_interface(const std::string& name);
// An interface's MAC can be changed while it is up only if its driver allows it, as tun does.
base::result<> change_interface(const std::string& name, const interface_change& change);
// Removing one interface of a veth pair removes both.
base::result<> remove_interface(const std::string& name);
base::result<> add_veth(const std::string& name, const std::string& peer, int peer_namespace);
// IPv4. Succeeds if the interface already has the address.
base::result<> add_address(const std::string& name, const net::address& ip, unsigned prefix_length);

// Reports changes of the interfaces of the namespace in which it was opened.
class interface_watch {
 public:
  static base::result<interface_watch> open(const async::executor& where);

  // Returns at the first change since the last call. Cancelled: throws operation_aborted.
  async::task<> changed();

 private:
  interface_watch(const async::executor& where, socket kernel, base::unique_fd copy);

  socket kernel_;
  async::asio::posix::stream_descriptor readable_;  // a copy of its descriptor
};

}  // namespace netlink
