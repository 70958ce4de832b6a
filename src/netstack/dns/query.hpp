// A question to the DNS server (RFC 1035, 4.1; EDNS: RFC 6891). Its parser reads no more than it needs: other records are
// skipped.
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
  bad_version = 16,  // RFC 6891, 9: its upper bits stand in the OPT record
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

// Views lie within the parsed bytes.
struct query {
  std::uint16_t id = 0;
  std::uint16_t bits = 0;  // of the header
  name asked;
  std::uint16_t type = 0;
  std::uint16_t asked_class = 0;
  bytes_view question;  // the section as the client wrote it
  std::optional<dns::edns> edns;
};

// An error is the code that the client gets, or nothing: no answer (bytes that are no question).
[[nodiscard]] std::expected<query, std::optional<rcode>> parse_query(bytes_view message);

// The end of the record at `at`, which may have a compressed name. Nothing if the message does not hold it.
struct record_place {
  std::uint16_t type = 0;
  std::size_t fixed = 0;  // where the type stands: behind the name
  std::size_t end = 0;
};
[[nodiscard]] std::optional<record_place> find_record(bytes_view message, std::size_t at);

// The end of the question section. Nothing if the message does not hold it, or has more than one question.
[[nodiscard]] std::optional<std::size_t> end_of_question(bytes_view message);

// How long an answer over UDP may be: what the client takes, and `most`.
[[nodiscard]] std::size_t udp_limit(const query& q, std::size_t most);

}  // namespace netstack::dns
