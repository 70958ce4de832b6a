// ignore_list: ports of the node's own servers, which are not published. Pure.
//
// Written as entries separated by commas, each a port or a range of ports with or without a protocol in front:
// "tcp:10248-10259,udp:5353,53"; without one it applies to both. "default" stands for the entries below, so that
// "default,tcp:9100" adds one. Empty: nothing is ignored.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "net/protocol.hpp"

namespace host_sockets {

class ignore_list {
 public:
  struct entry {
    std::optional<net::protocol> protocol;  // nothing: both
    std::uint16_t first = 0, last = 0;      // both included
  };

  // kubelet and the other parts of k3s, the API server, DNS stubs, DHCP clients, mDNS, LLMNR, chrony; VXLAN (flannel's
  // port and the standard's) and Geneve, through which packets with a forged source could reach pods.
  static constexpr std::string_view defaults =
      "tcp:10248-10259,tcp:6443-6444,53,udp:68,udp:5353,5355,udp:323,udp:8472,udp:4789,udp:6081";

  ignore_list() = default;  // ignores nothing
  // The error names the entry. Accepts up to 1,000 of them.
  [[nodiscard]] static base::result<ignore_list> parse(std::string_view text);

  void add(net::protocol protocol, std::uint16_t port) { entries_.push_back({protocol, port, port}); }

  [[nodiscard]] bool contains(net::protocol protocol, std::uint16_t port) const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] const std::vector<entry>& entries() const { return entries_; }

 private:
  [[nodiscard]] static base::result<entry> parse_entry(std::string_view text);

  std::vector<entry> entries_;
};

}  // namespace host_sockets
