// Answers of the DNS server: its own, and those of an upstream cut to the size that the client accepts.
#pragma once

#include <cstdint>
#include <vector>

#include "netstack/dns/query.hpp"

namespace netstack::dns {

// A record of the name in the question.
struct record {
  std::uint16_t type = 0;
  std::vector<std::uint8_t> data;
};

struct response {
  rcode code = rcode::no_error;
  bool authoritative = false;
  std::vector<record> answers{};
  // The zone whose SOA record is in the authority section: it lets a resolver cache that a name or record does not
  // exist (RFC 2308, 3). nullptr: none.
  const name* zone = nullptr;
};

// The content of the zone's SOA record.
[[nodiscard]] std::vector<std::uint8_t> soa_data(const name& zone);

// At most `most` bytes, which are at least 512. Answers that do not fit are left out, and TC is set. An OPT record in
// the question gets one in the answer.
[[nodiscard]] std::vector<std::uint8_t> write(const query& q, const response& r, std::size_t most);

// For a message whose question cannot be repeated: only the header. `message` has at least header_size bytes.
[[nodiscard]] std::vector<std::uint8_t> write_error(bytes_view message, rcode code);

// Whether the message answers the question. An error may omit the question.
[[nodiscard]] bool is_answer(bytes_view message, const query& q);

// The upstream's answer with the client's id. If it is longer than `most` bytes, only the first answer records that fit
// remain, with TC set and its OPT record, if any. Nothing else changes. `answer` passes is_answer().
[[nodiscard]] std::vector<std::uint8_t> relay(bytes_view answer, const query& q, std::size_t most);

}  // namespace netstack::dns
