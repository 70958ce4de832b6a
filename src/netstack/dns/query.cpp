#include "netstack/dns/query.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <utility>

#include "netstack/bytes.hpp"
#include "netstack/dns/name.hpp"

namespace netstack::dns {
namespace {

constexpr std::size_t size_of_fixed = 10;  // of a record: type, class, TTL, length
constexpr std::size_t most_records = 64;   // in a question; an OPT and a signature are usual
constexpr std::uint8_t pointer_bits = 0xc0;
constexpr std::uint32_t bit_dnssec_ok = 0x8000;

// The end of the name at `at`; a pointer ends it.
std::optional<std::size_t> skip_name(bytes_view message, std::size_t at) {
  const auto begin = at;
  while (at < message.size() && at - begin < name::most_size) {
    const std::uint8_t label = message[at];
    if (label == 0) return at + 1;
    if ((label & pointer_bits) == pointer_bits) return at + 2 <= message.size() ? std::optional(at + 2) : std::nullopt;
    if (label > name::most_label) return std::nullopt;
    at += 1U + label;
  }
  return std::nullopt;
}

edns read_edns(bytes_view message, const record_place& at) {
  const auto ttl = load_32(message, at.fixed + 4);
  return {.udp_size = load_16(message, at.fixed + 2),
          .version = static_cast<std::uint8_t>(ttl >> 16U),
          .dnssec_ok = (ttl & bit_dnssec_ok) != 0};
}

// All records of the message. False: they exceed it, or there is more than one OPT, or an OPT with a name.
bool read_records(query& q, bytes_view message) {
  const std::size_t answers = load_16(message, 6), authorities = load_16(message, 8), more = load_16(message, 10);
  if (answers + authorities + more > most_records) return false;
  std::size_t at = header_size + q.question.size();
  for (std::size_t i = 0; i < answers + authorities + more; ++i) {
    const auto record = find_record(message, at);
    if (!record) return false;
    if (record->type == record_type::opt) {
      if (q.edns || record->fixed != at + 1) return false;
      q.edns = read_edns(message, *record);
    }
    at = record->end;
  }
  return true;
}

}  // namespace

std::optional<record_place> find_record(bytes_view message, std::size_t at) {
  const auto fixed = skip_name(message, at);
  if (!fixed || *fixed + size_of_fixed > message.size()) return std::nullopt;
  const auto end = *fixed + size_of_fixed + load_16(message, *fixed + 8);
  if (end > message.size()) return std::nullopt;
  return record_place{.type = load_16(message, *fixed), .fixed = *fixed, .end = end};
}

std::optional<std::size_t> end_of_question(bytes_view message) {
  if (message.size() < header_size || load_16(message, 4) > 1) return std::nullopt;
  if (load_16(message, 4) == 0) return header_size;
  const auto end = skip_name(message, header_size);
  if (!end || *end + 4 > message.size()) return std::nullopt;
  return *end + 4;
}

std::expected<query, std::optional<rcode>> parse_query(bytes_view message) {
  if (message.size() < header_size) return std::unexpected(std::nullopt);
  query q{.id = load_16(message, 0), .bits = load_16(message, 2), .asked = {}, .question = {}, .edns = {}};
  if ((q.bits & header_bit::response) != 0) return std::unexpected(std::nullopt);
  if ((q.bits & header_bit::opcode) != 0) return std::unexpected(rcode::not_implemented);
  auto asked = name::parse(message.subspan(header_size));
  const bool one = load_16(message, 4) == 1 && load_16(message, 6) == 0;
  if (!one || !asked || header_size + asked->size() + 4 > message.size()) return std::unexpected(rcode::format_error);
  q.question = message.subspan(header_size, asked->size() + 4);
  q.type = load_16(q.question, asked->size());
  q.asked_class = load_16(q.question, asked->size() + 2);
  q.asked = *std::move(asked);
  if (!read_records(q, message)) return std::unexpected(rcode::format_error);
  return q;
}

std::size_t udp_limit(const query& q, std::size_t most) {
  const std::size_t takes = q.edns ? std::max<std::size_t>(q.edns->udp_size, least_udp) : least_udp;
  return std::min(takes, most);
}

}  // namespace netstack::dns
