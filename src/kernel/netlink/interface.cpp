#include "kernel/netlink/interface.hpp"

#include <fcntl.h>
#include <linux/rtnetlink.h>

#include <expected>
#include <string>
#include <system_error>
#include <utility>

#include "async/task.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "kernel/netlink/link_codec.hpp"
#include "kernel/netlink/socket.hpp"
#include "net/address.hpp"

namespace netlink {
namespace {

base::result<> carry_out(request what, const std::string& name) {
  auto kernel = socket::open(NETLINK_ROUTE);
  if (!kernel) return std::unexpected(kernel.error());
  return kernel->transact({.request = std::move(what), .name = name}, request_sequence);
}

}  // namespace

base::result<interface_state> find_interface(const std::string& name) {
  auto kernel = socket::open(NETLINK_ROUTE);
  if (!kernel) return std::unexpected(kernel.error());
  const auto answer = kernel->get({.request = get_interface_request(name), .name = "interface " + name});
  if (!answer) return std::unexpected(answer.error());
  auto found = parse_interface(*answer);
  if (!found) return base::fail(std::errc::protocol_error, "interface " + name);
  return std::move(*found);
}

base::result<> change_interface(const std::string& name, const interface_change& change) {
  const auto found = find_interface(name);
  if (!found) return std::unexpected(found.error());
  return carry_out(change_interface_request(found->index, change), "change interface " + name);
}

base::result<> remove_interface(const std::string& name) {
  const auto found = find_interface(name);
  if (!found) return std::unexpected(found.error());
  return carry_out(remove_interface_request(found->index), "remove interface " + name);
}

base::result<> add_veth(const std::string& name, const std::string& peer, int peer_namespace) {
  return carry_out(add_veth_request(name, peer, peer_namespace), "make interfaces " + name + " and " + peer);
}

base::result<> add_address(const std::string& name, const net::address& ip, unsigned prefix_length) {
  const auto found = find_interface(name);
  if (!found) return std::unexpected(found.error());
  return carry_out(add_address_request(found->index, ip, prefix_length), "address " + ip.to_string() + " of " + name);
}

base::result<interface_watch> interface_watch::open(const async::executor& where) {
  auto kernel = socket::open(NETLINK_ROUTE, {.groups = {RTNLGRP_LINK}});
  if (!kernel) return std::unexpected(kernel.error());
  base::unique_fd copy(::fcntl(kernel->fd(), F_DUPFD_CLOEXEC, 0));
  if (!copy) return base::fail_errno("watch the interfaces");
  return interface_watch(where, std::move(*kernel), std::move(copy));
}

interface_watch::interface_watch(const async::executor& where, socket kernel, base::unique_fd copy)
    : kernel_(std::move(kernel)), readable_(where, copy.release()) {}

async::task<> interface_watch::changed() {
  while (!kernel_.discard_notices()) {
    co_await readable_.async_wait(async::asio::posix::stream_descriptor::wait_read, async::nothrow);
    co_await async::check_cancelled();
  }
}

}  // namespace netlink
