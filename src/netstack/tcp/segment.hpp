// A TCP segment: its header with the options that we use (RFC 9293, 7323, 2018). Other options are skipped.
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
  bool ece = false;  // RFC 3168: with cwr in a SYN it asks for ECN, which we do not accept
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
  std::optional<std::uint16_t> most_segment;  // MSS; in a SYN alone
  std::optional<std::uint8_t> window_shift;   // in a SYN alone; more than 14 counts as 14
  bool sack_permitted = false;                // in a SYN alone
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
  std::uint16_t window = 0;  // as it stands in the header, not shifted
  std::uint16_t urgent = 0;
  tcp::options options;
  bytes_view payload;

  // What the segment takes of the sequence space: its payload, and one for each of SYN and FIN.
  [[nodiscard]] std::uint32_t length() const {
    return static_cast<std::uint32_t>(payload.size()) + (flags.syn ? 1U : 0U) + (flags.fin ? 1U : 0U);
  }
};

enum class check : std::uint8_t { verify, skip };

// Nothing for a header that the packet does not hold and for a wrong checksum. An option whose length is wrong ends the
// options; those before it count.
[[nodiscard]] std::optional<segment> parse(const ipv4::packet& packet, check payload_checksum = check::verify);

// How many bytes the header needs with its options.
[[nodiscard]] std::size_t size_of_header(const options& o);

enum class checksum_kind : std::uint8_t {
  whole,   // over header and payload
  pseudo,  // over the pseudo header alone: the receiver of the frame completes it (checksum offload)
};

// Writes the header of `s` to the first size_of_header() bytes of `to`, behind which the payload stands already; what
// s.payload names is not looked at.
void write_header(bytes_span to, ipv4::address source, ipv4::address destination, const segment& s,
                  checksum_kind kind = checksum_kind::whole);

}  // namespace netstack::tcp
