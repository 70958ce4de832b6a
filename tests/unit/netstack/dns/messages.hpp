// DNS messages as clients and upstreams make them, and what an answer says, for tests.
#pragma once

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "netstack/dns/query.hpp"
#include "tests/unit/netstack/packets.hpp"

namespace netstack::dns {

inline name named(std::string_view text) { return name::from_text(text).value(); }

inline void put_16(bytes& to, std::uint16_t value) {
  to.push_back(static_cast<std::uint8_t>(value >> 8U));
  to.push_back(static_cast<std::uint8_t>(value));
}
inline void put_32(bytes& to, std::uint32_t value) {
  put_16(to, static_cast<std::uint16_t>(value >> 16U));
  put_16(to, static_cast<std::uint16_t>(value));
}
inline void put_bytes(bytes& to, bytes_view more) { to.insert(to.end(), more.begin(), more.end()); }

// A name as it stands in a message, its case kept.
inline bytes name_bytes(std::string_view text) {
  bytes made;
  while (!text.empty()) {
    const auto label = text.substr(0, text.find('.'));
    made.push_back(static_cast<std::uint8_t>(label.size()));
    made.insert(made.end(), label.begin(), label.end());
    text.remove_prefix(std::min(label.size() + 1, text.size()));
  }
  made.push_back(0);
  return made;
}

struct question {
  std::string_view asked = "example.org";
  std::uint16_t type = record_type::a;
  std::uint16_t id = 0x4711;
  std::uint16_t bits = header_bit::recursion_desired;
  std::uint16_t asked_class = class_internet;
  std::optional<std::uint16_t> udp_size{};  // with an OPT record
  std::uint8_t version = 0;

  [[nodiscard]] bytes write() const {
    bytes made;
    for (const std::uint16_t word :
         {id, bits, std::uint16_t{1}, std::uint16_t{0}, std::uint16_t{0}, static_cast<std::uint16_t>(udp_size ? 1 : 0)})
      put_16(made, word);
    put_bytes(made, name_bytes(asked));
    put_16(made, type);
    put_16(made, asked_class);
    if (udp_size) {
      made.push_back(0);
      put_16(made, record_type::opt);
      put_16(made, *udp_size);
      put_32(made, std::uint32_t{version} << 16U);
      put_16(made, 0);
    }
    return made;
  }
};

// An upstream's answer to `asked`: its question, then records of the question's name.
struct upstream_answer {
  bytes asked;
  std::uint16_t code = 0;
  std::vector<std::pair<std::uint16_t, bytes>> answers{};  // type and content
  std::vector<std::pair<std::uint16_t, bytes>> authority{};
  bool opt = false;
  std::uint32_t ttl = 299;

  [[nodiscard]] bytes write() const {
    const auto end = end_of_question(asked).value();
    bytes made(asked.begin(), asked.begin() + static_cast<std::ptrdiff_t>(end));
    store_16(made, 2, static_cast<std::uint16_t>(0x8180 | code));
    store_16(made, 6, static_cast<std::uint16_t>(answers.size()));
    store_16(made, 8, static_cast<std::uint16_t>(authority.size()));
    store_16(made, 10, opt ? 1 : 0);
    for (const auto* section : {&answers, &authority})
      for (const auto& [type, data] : *section) {
        put_16(made, 0xc00c);
        put_16(made, type);
        put_16(made, class_internet);
        put_32(made, ttl);
        put_16(made, static_cast<std::uint16_t>(data.size()));
        put_bytes(made, data);
      }
    if (opt) put_bytes(made, bytes{0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0});
    return made;
  }
};

inline rcode code_of(bytes_view message) { return rcode{static_cast<std::uint16_t>(load_16(message, 2) & 0xfU)}; }
inline bool is_truncated(bytes_view message) { return (load_16(message, 2) & header_bit::truncated) != 0; }
inline std::uint16_t answers_in(bytes_view message) { return load_16(message, 6); }
inline std::uint16_t authorities_in(bytes_view message) { return load_16(message, 8); }
inline std::uint16_t additional_in(bytes_view message) { return load_16(message, 10); }

struct read_record {
  std::uint16_t type = 0;
  std::uint32_t ttl = 0;
  bytes data;
};
// All records; throws where the message does not hold what its header says, or has bytes behind the last record.
inline std::vector<read_record> records_of(bytes_view message) {
  std::vector<read_record> all;
  auto at = end_of_question(message).value();
  for (int i = answers_in(message) + authorities_in(message) + additional_in(message); i > 0; --i) {
    const auto place = find_record(message, at).value();
    all.push_back({.type = place.type,
                   .ttl = load_32(message, place.fixed + 4),
                   .data = to_bytes(message.subspan(place.fixed + 10, place.end - place.fixed - 10))});
    at = place.end;
  }
  if (at != message.size()) throw std::runtime_error("bytes behind the last record");
  return all;
}

// The addresses of the A records.
inline std::vector<ipv4::address> addresses_in(bytes_view message) {
  std::vector<ipv4::address> all;
  for (const auto& r : records_of(message))
    if (r.type == record_type::a) all.push_back({load_32(r.data, 0)});
  return all;
}

}  // namespace netstack::dns
