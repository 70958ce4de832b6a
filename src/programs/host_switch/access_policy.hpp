// access_policy: who may use the forwarder API, and for what. Three questions, each answered by itself:
//
//   the client's address   in -subnet, and not one of this host's: on Linux an address of one interface answers on all
//                          of them, so users of the host and machines of its other networks reach the API's socket too
//   the request's head     no browser's: neither Origin nor Sec-Fetch-*, and a Host that no other site can have
//   the remote             in -subnet, and not one of this host's: a forward to the host itself would publish what
//                          listens on its loopback addresses, or the API. The subnet's host alias, 192.168.127.254, is
//                          the host's 127.0.0.1 as the VM sees it
//
// Where the kernel does not say whether an address is the host's, the answer is no.
#pragma once

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
  using own_address = std::function<base::result<bool>(const net::address&)>;

  // `more_hosts`: further names that Host may have, without port. `is_own` asks the kernel.
  access_policy(subnet vm_network, net::endpoint api, std::vector<std::string> more_hosts, own_address is_own);

  // Errors say why not.
  [[nodiscard]] base::result<> check_client(const net::address& client) const;
  [[nodiscard]] base::result<> check_remote(const net::endpoint& remote) const;
  // The answer to a request that is not served.
  [[nodiscard]] std::optional<http::response> check_head(const http::request& request) const;

 private:
  [[nodiscard]] base::result<> check_address(const net::address& ip, std::string_view whose) const;
  [[nodiscard]] bool is_ours(std::string_view host) const;

  subnet vm_network_;
  net::endpoint api_;
  std::vector<std::string> hosts_;  // in lower case
  own_address is_own_;
};

// A name or an address that Host may have, from -api-host. In lower case.
[[nodiscard]] base::result<std::string> parse_host_name(std::string_view text);

}  // namespace host_switch
