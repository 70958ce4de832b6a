// The DHCP message (RFC 2131, 2) and the options (RFC 2132) that the server reads and writes.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "net/mac_address.hpp"
#include "netstack/ipv4.hpp"

namespace netstack::dhcp {

inline constexpr std::uint16_t server_port = 67;
inline constexpr std::uint16_t client_port = 68;

enum class message_type : std::uint8_t {
  discover = 1,
  offer = 2,
  request = 3,
  decline = 4,
  ack = 5,
  nak = 6,
  release = 7,
  inform = 8,
};

// A client's message. Views point into the parsed bytes.
struct request {
  message_type type{};
  std::uint32_t transaction = 0;           // xid
  bool broadcast = false;                  // the answer must be a broadcast
  ipv4::address client_address;            // ciaddr; 0.0.0.0: none yet
  ipv4::address relay;                     // giaddr; 0.0.0.0: the client itself sent the message
  net::mac_address hardware;               // chaddr
  std::optional<ipv4::address> requested;  // option 50
  std::optional<ipv4::address> server;     // option 54
  std::optional<std::uint16_t> most_size;  // option 57, of the whole IP packet
  bytes_view client_id;                    // option 61
};

// nullopt for a message that is too short, is not a BOOTREQUEST for Ethernet with DHCP's magic cookie, has options that
// exceed their field or lack an end option, or has no valid message type. Of an option that occurs twice, the first
// counts. With option 52 the fields `file` and `sname` hold more options (RFC 2131, 4.1).
[[nodiscard]] std::optional<request> parse(bytes_view payload);

// The configuration in an OFFER and an ACK. `search` is the content of option 119, from search_list.
struct configuration {
  ipv4::address address{};  // yiaddr
  std::chrono::seconds lease_time{};
  ipv4::address mask{};
  ipv4::address router{};
  ipv4::address dns_server{};
  std::uint16_t mtu = 0;
  bytes_view search{};
};

// Writes the answer to `r` into `to`, padded with zeros to BOOTP's minimum of 300 bytes. Without a configuration it is
// a NAK, which holds only the server's and the client's ids.
void write(std::vector<std::uint8_t>& to, const request& r, message_type type, ipv4::address server,
           const std::optional<configuration>& given);

// How many bytes of option 119 an answer to `r` may carry: what remains of the size that the client accepts (576 by
// default) and of the MTU.
[[nodiscard]] std::size_t room_for_search(const request& r, std::uint16_t mtu);

}  // namespace netstack::dhcp
