// access_policy: who may use the forwarder API, and for which remotes. Three independent checks:
//
//   the client's address   in -subnet, and not an address of this host. On Linux an address of one interface answers on
//                          all of them, so users of the host and machines of its other networks reach the API as well
//   the request's head     not from a browser: neither Origin nor Sec-Fetch-*, and a Host that no web site can have
//   the remote             in -subnet, and not an address of this host: such a forward would publish servers on the
//                          host's loopback addresses, or the API. The host alias of the subnet, 192.168.127.254, is
//                          the host's 127.0.0.1 for the VM
//
// In the virtual network the links vouch for a client's address: the stack drops frames with another source. There a
// client may only name itself as the remote, and only withdraw forwards to itself (remotes::of_caller).
//
// If the kernel cannot say whether an address is the host's, access is denied.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "http/message.hpp"
#include "net/endpoint.hpp"
#include "programs/host_switch/subnet.hpp"

namespace host_switch {

class access_policy {
 public:
  // Which remotes a client of the API may name: any machine of the VM's network, or only itself.
  enum class remotes : std::uint8_t { any, of_caller };
  using own_address = std::function<base::result<bool>(const net::address&)>;

  // `more_hosts`: further names allowed in Host, without port. `is_own` asks the kernel.
  access_policy(subnet vm_network, net::endpoint api, std::vector<std::string> more_hosts, own_address is_own,
                remotes allowed = remotes::any);

  // The error states why access is denied.
  [[nodiscard]] base::result<> check_client(const net::address& client) const;
  // `caller`: nullopt for the owner of this host, who may name any machine of the VM's network.
  [[nodiscard]] base::result<> check_remote(const net::endpoint& remote,
                                            const std::optional<net::address>& caller = {}) const;
  // Whether a client must be identified by its address.
  [[nodiscard]] bool names_itself_alone() const { return allowed_ == remotes::of_caller; }
  // Whether the caller may withdraw a forward to `remote`.
  [[nodiscard]] bool may_withdraw(std::string_view remote, const std::optional<net::address>& caller) const;
  // The answer to a request that is denied.
  [[nodiscard]] std::optional<http::response> check_head(const http::request& request) const;

 private:
  [[nodiscard]] base::result<> check_address(const net::address& ip, std::string_view whose) const;
  [[nodiscard]] bool is_ours(std::string_view host) const;

  subnet vm_network_;
  net::endpoint api_;
  std::vector<std::string> hosts_;  // in lower case
  own_address is_own_;
  remotes allowed_;
};

// The value of -api-host: a name or an address allowed in Host. In lower case.
[[nodiscard]] base::result<std::string> parse_host_name(std::string_view text);

}  // namespace host_switch
