// Answers of the DNS server: those that it makes itself, and those of an upstream cut to the size that the client takes.
#pragma once

#include <cstdint>
#include <vector>

#include "netstack/dns/query.hpp"

namespace netstack::dns {

// A record of the name that was asked for.
struct record {
  std::uint16_t type = 0;
  std::vector<std::uint8_t> data;
};

struct response {
  rcode code = rcode::no_error;
  bool authoritative = false;
  std::vector<record> answers{};
  // The zone whose SOA record stands in the authority section: a resolver may then remember that something does not
  // exist (RFC 2308, 3). nullptr: none.
  const name* zone = nullptr;
};

// The content of the zone's SOA record.
[[nodiscard]] std::vector<std::uint8_t> soa_data(const name& zone);

// At most `most` bytes, which are at least 512. Answers that do not fit are left out, and TC is set. An OPT record
// answers an OPT record.
[[nodiscard]] std::vector<std::uint8_t> write(const query& q, const response& r, std::size_t most);

// For a message that is no question which can be repeated: the header alone. `message` has at least header_size bytes.
[[nodiscard]] std::vector<std::uint8_t> write_error(bytes_view message, rcode code);

// Whether the message is an answer to the question. An error may come without its question.
[[nodiscard]] bool is_answer(bytes_view message, const query& q);

// The upstream's answer with the client's id. If it is longer than `most` bytes, its first answer records that fit, with
// TC set and its OPT record, if any. Else nothing else is changed. `answer` passes is_answer().
[[nodiscard]] std::vector<std::uint8_t> relay(bytes_view answer, const query& q, std::size_t most);

}  // namespace netstack::dns
