// A question to the DNS server (RFC 1035, 4.1; EDNS: RFC 6891). The parser reads no more than it needs and skips other
// records.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>

#include "netstack/bytes.hpp"
#include "netstack/dns/name.hpp"

namespace netstack::dns {

inline constexpr std::uint16_t server_port = 53;
inline constexpr std::size_t header_size = 12;
inline constexpr std::size_t least_udp = 512;  // RFC 1035, 2.3.4

// Registered numbers; others exist.
namespace record_type {
inline constexpr std::uint16_t a = 1, soa = 6, ptr = 12, aaaa = 28, opt = 41, ixfr = 251, axfr = 252, any = 255;
}
inline constexpr std::uint16_t class_internet = 1;

enum class rcode : std::uint16_t {
  no_error = 0,
  format_error = 1,
  server_failure = 2,
  name_error = 3,  // NXDOMAIN
  not_implemented = 4,
  refused = 5,
  bad_version = 16,  // RFC 6891, 9: its upper bits are in the OPT record
};

// Bits of the header's second word.
namespace header_bit {
inline constexpr std::uint16_t response = 0x8000, opcode = 0x7800, authoritative = 0x0400, truncated = 0x0200,
                               recursion_desired = 0x0100, recursion_available = 0x0080, checking_disabled = 0x0010,
                               code = 0x000f;
}

struct edns {
  std::uint16_t udp_size = 0;
  std::uint8_t version = 0;
  bool dnssec_ok = false;
};

// Views point into the parsed bytes.
struct query {
  std::uint16_t id = 0;
  std::uint16_t bits = 0;  // the header's
  name asked;
  std::uint16_t type = 0;
  std::uint16_t asked_class = 0;
  bytes_view question;  // the section as the client sent it
  std::optional<dns::edns> edns;
};

// An error is the code for the client, or nullopt for no answer (the bytes are not a question).
[[nodiscard]] std::expected<query, std::optional<rcode>> parse_query(bytes_view message);

// The end of the record at `at`, whose name may be compressed. nullopt if it exceeds the message.
struct record_place {
  std::uint16_t type = 0;
  std::size_t fixed = 0;  // the offset of the type, after the name
  std::size_t end = 0;
};
[[nodiscard]] std::optional<record_place> find_record(bytes_view message, std::size_t at);

// The end of the question section. nullopt if it exceeds the message, or has more than one question.
[[nodiscard]] std::optional<std::size_t> end_of_question(bytes_view message);

// The largest answer over UDP: what the client accepts, and at most `most`.
[[nodiscard]] std::size_t udp_limit(const query& q, std::size_t most);

}  // namespace netstack::dns
