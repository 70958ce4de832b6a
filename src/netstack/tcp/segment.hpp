// A TCP segment: its header with the supported options (RFC 9293, 7323, 2018). Other options are skipped.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "netstack/ipv4.hpp"
#include "netstack/tcp/sequence.hpp"

namespace netstack::tcp {

inline constexpr std::size_t header_size = 20;
inline constexpr std::size_t most_options = 40;
inline constexpr std::uint8_t most_window_shift = 14;
inline constexpr std::size_t most_sack_blocks = 4;

struct flags {
  bool fin = false;
  bool syn = false;
  bool rst = false;
  bool psh = false;
  bool ack = false;
  bool urg = false;
  bool ece = false;  // RFC 3168: with cwr in a SYN it requests ECN, which we refuse
  bool cwr = false;

  bool operator==(const flags&) const = default;
};

// Bytes that arrived out of order: [begin, end).
struct sack_block {
  sequence begin;
  sequence end;

  bool operator==(const sack_block&) const = default;
};

struct options {
  std::optional<std::uint16_t> most_segment;  // MSS; only in a SYN
  std::optional<std::uint8_t> window_shift;   // only in a SYN; more than 14 counts as 14
  bool sack_permitted = false;                // only in a SYN
  std::array<sack_block, most_sack_blocks> sack{};
  std::size_t sack_blocks = 0;

  bool operator==(const options&) const = default;
};

struct segment {
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  sequence number;
  sequence acknowledged;  // meaningless without flags.ack
  tcp::flags flags;
  std::uint16_t window = 0;  // as in the header, not shifted
  std::uint16_t urgent = 0;
  tcp::options options;
  bytes_view payload;

  // The segment's length in sequence numbers: its payload, and one each for SYN and FIN.
  [[nodiscard]] std::uint32_t length() const {
    return static_cast<std::uint32_t>(payload.size()) + (flags.syn ? 1U : 0U) + (flags.fin ? 1U : 0U);
  }
};

enum class check : std::uint8_t { verify, skip };

// nullopt for a header that exceeds the packet, and for a wrong checksum. An option with a wrong length ends the
// options; those before it count.
[[nodiscard]] std::optional<segment> parse(const ipv4::packet& packet, check payload_checksum = check::verify);

// The size of the header with its options, in bytes.
[[nodiscard]] std::size_t size_of_header(const options& o);

enum class checksum_kind : std::uint8_t {
  whole,   // over header and payload
  pseudo,  // over the pseudo header only: the frame's receiver completes it (checksum offload)
};

// Writes the header of `s` to the first size_of_header() bytes of `to`; the payload already follows them. s.payload is
// not read.
void write_header(bytes_span to, ipv4::address source, ipv4::address destination, const segment& s,
                  checksum_kind kind = checksum_kind::whole);

}  // namespace netstack::tcp
