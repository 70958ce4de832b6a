#include "netstack/dns/response.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "netstack/bytes.hpp"
#include "netstack/dns/name.hpp"
#include "netstack/dns/query.hpp"

namespace netstack::dns {
namespace {

constexpr std::uint16_t pointer_to_question = 0xc00c;
constexpr std::uint32_t time_to_live = 60;     // seconds: the records change with the flags alone
constexpr std::uint16_t our_udp_size = 1'232;  // what we accept in a question; fits an IPv6 frame as well
constexpr std::size_t size_of_opt = 11;

void put_16(std::vector<std::uint8_t>& to, std::uint16_t value) {
  to.push_back(static_cast<std::uint8_t>(value >> 8U));
  to.push_back(static_cast<std::uint8_t>(value));
}
void put_32(std::vector<std::uint8_t>& to, std::uint32_t value) {
  put_16(to, static_cast<std::uint16_t>(value >> 16U));
  put_16(to, static_cast<std::uint16_t>(value));
}
void put(std::vector<std::uint8_t>& to, bytes_view bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

// Type, class, TTL, length and content: what follows the owner's name.
void put_body(std::vector<std::uint8_t>& to, std::uint16_t type, bytes_view data) {
  put_16(to, type);
  put_16(to, class_internet);
  put_32(to, time_to_live);
  put_16(to, static_cast<std::uint16_t>(data.size()));
  put(to, data);
}

void put_opt(std::vector<std::uint8_t>& to, const edns& asked, rcode code) {
  constexpr std::uint32_t dnssec_ok = 0x8000;
  to.push_back(0);  // the root
  put_16(to, record_type::opt);
  put_16(to, our_udp_size);
  put_32(to, static_cast<std::uint32_t>(code) >> 4U << 24U | (asked.dnssec_ok ? dnssec_ok : 0));
  put_16(to, 0);
}

std::uint16_t bits_of(std::uint16_t asked, rcode code) {
  constexpr unsigned kept = header_bit::opcode | header_bit::recursion_desired | header_bit::checking_disabled;
  return static_cast<std::uint16_t>((asked & kept) | header_bit::response | header_bit::recursion_available |
                                    (static_cast<std::uint16_t>(code) & header_bit::code));
}

void set(std::vector<std::uint8_t>& message, std::uint16_t bit) {
  store_16(message, 2, static_cast<std::uint16_t>(load_16(message, 2) | bit));
}

void count(std::vector<std::uint8_t>& message, std::size_t at) {
  store_16(message, at, static_cast<std::uint16_t>(load_16(message, at) + 1));
}

constexpr std::size_t at_answers = 6, at_authorities = 8, at_additional = 10;

std::vector<std::uint8_t> begin(const query& q, rcode code) {
  std::vector<std::uint8_t> message(header_size);
  store_16(message, 0, q.id);
  store_16(message, 2, bits_of(q.bits, code));
  store_16(message, 4, 1);
  put(message, q.question);
  return message;
}

void put_answers(std::vector<std::uint8_t>& message, const std::vector<record>& answers, std::size_t room) {
  constexpr std::size_t size_of_owner_and_fixed = 12;
  for (const auto& one : answers) {
    if (message.size() + size_of_owner_and_fixed + one.data.size() > room) return set(message, header_bit::truncated);
    put_16(message, pointer_to_question);
    put_body(message, one.type, one.data);
    count(message, at_answers);
  }
}

// The OPT record of an answer; empty: none, or the answer is malformed.
bytes_view opt_of(bytes_view answer, std::size_t at) {
  const std::size_t before = std::size_t{load_16(answer, at_answers)} + load_16(answer, at_authorities);
  const std::size_t all = before + load_16(answer, at_additional);
  for (std::size_t i = 0; i < all; ++i) {
    const auto found = find_record(answer, at);
    if (!found) return {};
    if (i >= before && found->type == record_type::opt) return answer.subspan(at, found->end - at);
    at = found->end;
  }
  return {};
}

// The end and the number of the first answer records that fit into `room` bytes.
std::pair<std::size_t, std::uint16_t> answers_within(bytes_view answer, std::size_t at, std::size_t room) {
  const std::uint16_t all = load_16(answer, at_answers);
  for (std::uint16_t i = 0; i < all; ++i) {
    const auto found = find_record(answer, at);
    if (!found || found->end > room) return {at, i};
    at = found->end;
  }
  return {at, all};
}

std::vector<std::uint8_t> cut(bytes_view answer, std::size_t most) {
  const auto question = end_of_question(answer).value_or(header_size);
  auto opt = opt_of(answer, question);
  if (question + opt.size() > most) opt = {};
  const auto [end, kept] = answers_within(answer, question, most - opt.size());
  std::vector<std::uint8_t> made(answer.begin(), answer.begin() + static_cast<std::ptrdiff_t>(end));
  put(made, opt);
  store_16(made, at_answers, kept);
  store_16(made, at_authorities, 0);
  store_16(made, at_additional, opt.empty() ? 0 : 1);
  set(made, header_bit::truncated);
  return made;
}

}  // namespace

std::vector<std::uint8_t> soa_data(const name& zone) {
  constexpr std::array<std::uint32_t, 5> times{1, 3'600, 600, 86'400, time_to_live};  // serial, refresh, … minimum
  constexpr std::string_view mailbox = "\12hostmaster";
  std::vector<std::uint8_t> data;
  put(data, zone.wire());
  // If the longer name would exceed the bound, the zone's name is its mailbox.
  if (mailbox.size() + zone.size() <= name::most_size) data.insert(data.end(), mailbox.begin(), mailbox.end());
  put(data, zone.wire());
  for (const auto time : times) put_32(data, time);
  return data;
}

std::vector<std::uint8_t> write(const query& q, const response& r, std::size_t most) {
  constexpr std::size_t size_of_fixed = 10;
  const auto room = most - (q.edns ? size_of_opt : 0);
  auto message = begin(q, r.code);
  if (r.authoritative) set(message, header_bit::authoritative);
  put_answers(message, r.answers, room);
  if (r.zone != nullptr) {
    const auto soa = soa_data(*r.zone);
    if (message.size() + r.zone->size() + size_of_fixed + soa.size() <= room) {
      put(message, r.zone->wire());
      put_body(message, record_type::soa, soa);
      count(message, at_authorities);
    }
  }
  if (q.edns) {
    put_opt(message, *q.edns, r.code);
    count(message, at_additional);
  }
  return message;
}

std::vector<std::uint8_t> write_error(bytes_view message, rcode code) {
  std::vector<std::uint8_t> made(header_size);
  store_16(made, 0, load_16(message, 0));
  store_16(made, 2, bits_of(load_16(message, 2), code));
  return made;
}

bool is_answer(bytes_view message, const query& q) {
  const auto end = end_of_question(message);
  if (!end || (load_16(message, 2) & header_bit::response) == 0) return false;
  if (*end == header_size) return (load_16(message, 2) & header_bit::code) != 0;
  const auto asked = name::parse(message.subspan(header_size));
  return asked == q.asked && std::ranges::equal(message.subspan(header_size + asked->size(), 4), q.question.last(4));
}

std::vector<std::uint8_t> relay(bytes_view answer, const query& q, std::size_t most) {
  auto made = answer.size() > most ? cut(answer, most) : std::vector<std::uint8_t>(answer.begin(), answer.end());
  store_16(made, 0, q.id);
  return made;
}

}  // namespace netstack::dns
