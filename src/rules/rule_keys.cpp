#include "rules/rule_keys.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ranges>
#include <string_view>
#include <utility>
#include <vector>

#include "net/address.hpp"
#include "rules/conditions.hpp"
#include "rules/glob.hpp"

namespace rules {
namespace {

using kind = rule_key::kind;
using way = std::vector<rule_key>;

// FNV-1a of the kind, the field and the bytes.
class number_of {
 public:
  explicit number_of(kind what, std::size_t field = 0) {
    add(static_cast<char>(what));
    add(static_cast<char>(field));
  }
  number_of& add(char c) {
    state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return *this;
  }
  number_of& add(std::string_view text) {
    for (const char c : text) add(c);
    return *this;
  }
  number_of& add_backwards(std::string_view text) {
    for (auto at = text.size(); at > 0;) add(text[--at]);
    return *this;
  }
  [[nodiscard]] std::uint64_t get() const { return state_; }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325U;
};

// No hash: a block is a small number. The highest bits say that it is one.
std::uint64_t port_block(unsigned level, std::uint32_t port) {
  return (std::uint64_t{0xffff} << 48) | (std::uint64_t{level} << 32) | (port >> level);
}

std::uint64_t address_number(const net::address& a) {
  const std::string_view bytes(reinterpret_cast<const char*>(a.data()), a.is_v4() ? 4 : 16);
  return number_of(kind::address).add(bytes).get();
}

std::uint64_t address_kind_number(address_pattern::kind what) {
  return number_of(kind::address_kind).add(static_cast<char>(what)).get();
}

std::uint64_t label_number(std::string_view name, std::string_view value) {
  return number_of(kind::label).add(name).add('=').add(value).get();
}

std::optional<way> by_ports(const conditions& c) {
  if (!c.ports || c.ports->contains(port_range{})) return std::nullopt;
  way keys;
  const std::uint32_t end = c.ports->last + 1U;
  for (std::uint32_t first = c.ports->first; first < end;) {
    const auto level = std::min(static_cast<unsigned>(std::countr_zero(first)),
                                static_cast<unsigned>(std::bit_width(end - first)) - 1);
    keys.push_back({port_block(level, first), kind::port, 0, static_cast<std::uint8_t>(level)});
    first += 1U << level;
  }
  return keys;
}

std::optional<way> by_sources(const conditions& c) {
  if (c.sources.empty()) return std::nullopt;
  way keys;
  for (const auto& source : c.sources) keys.push_back({number_of(kind::source).add(source).get(), kind::source});
  return keys;
}

std::optional<way> by_addresses(const conditions& c) {
  if (c.addresses.empty()) return std::nullopt;
  way keys;
  for (const auto& a : c.addresses) {
    if (a.what == address_pattern::kind::exact)
      keys.push_back({address_number(a.exact), kind::address});
    else
      keys.push_back({address_kind_number(a.what), kind::address_kind});
  }
  return keys;
}

// The longest run of characters that stand for themselves.
std::string_view longest_run(std::string_view pattern) {
  std::string_view longest;
  std::size_t begin = 0;
  for (std::size_t at = 0; at <= pattern.size(); ++at) {
    if (at < pattern.size() && !std::string_view("*?[").contains(pattern[at])) continue;
    if (at - begin > longest.size()) longest = pattern.substr(begin, at - begin);
    if (at < pattern.size() && pattern[at] == '[') at = end_of_set(pattern, at);
    begin = at + 1;
  }
  return longest;
}

// The part of a pattern by which a rule is filed; empty: the pattern has none.
std::string_view part_of(const glob& g, kind what) {
  if (what == kind::beginning) return g.prefix().substr(0, rule_key::longest_part);
  if (what == kind::end)
    return g.suffix().substr(g.suffix().size() - std::min(g.suffix().size(), rule_key::longest_part));
  const auto run = longest_run(g.text()).substr(0, rule_key::longest_piece);
  return run.size() < rule_key::shortest_piece ? std::string_view() : run;
}

std::optional<rule_key> part_key(const glob& g, kind what, std::size_t field) {
  const auto part = part_of(g, what);
  if (part.empty()) return std::nullopt;
  number_of number(what, field);
  if (what == kind::end)
    number.add_backwards(part);
  else
    number.add(part);
  return rule_key{number.get(), what, static_cast<std::uint8_t>(field), static_cast<std::uint8_t>(part.size())};
}

std::optional<rule_key> text_key(const glob& g, kind preferred, std::size_t field) {
  if (g.is_literal())
    return rule_key{number_of(kind::text, field).add(g.text()).get(), kind::text, static_cast<std::uint8_t>(field)};
  for (const auto what : {preferred, kind::beginning, kind::end, kind::piece})
    if (auto key = part_key(g, what, field)) return key;
  return std::nullopt;
}

// By this part of each pattern, or else by another one.
std::optional<way> by_texts(const std::vector<glob>& patterns, std::size_t field, kind preferred) {
  if (patterns.empty()) return std::nullopt;
  way keys;
  for (const auto& g : patterns) {
    const auto key = text_key(g, preferred, field);
    if (!key) return std::nullopt;
    keys.push_back(*key);
  }
  return keys;
}

way by_label(const label_pattern& l) {
  if (l.value && l.value->is_literal()) return {{label_number(l.key, l.value->text()), kind::label}};
  return {{number_of(kind::label_name).add(l.key).get(), kind::label_name}};
}

// Each number of a run of bytes from the first one on, whose length has its bit.
template <class Bytes>
void visit_runs(number_of number, Bytes bytes, std::uint64_t lengths, const key_shapes::visitor& visit) {
  for (const char c : bytes) {
    if (lengths == 0) return;
    number.add(c);
    if ((lengths & 1U) != 0) visit(number.get());
    lengths >>= 1;
  }
}

// `used`: which lengths of its parts there are.
void visit_text(std::string_view text, std::size_t field, const auto& used, const key_shapes::visitor& visit) {
  if (used.whole && !text.empty()) visit(number_of(kind::text, field).add(text).get());
  visit_runs(number_of(kind::beginning, field), text, used.beginnings, visit);
  visit_runs(number_of(kind::end, field), std::views::reverse(text), used.ends, visit);
  if (used.pieces == 0 || text.size() > glob::longest_text) return;
  for (std::size_t at = 0; at < text.size(); ++at)
    visit_runs(number_of(kind::piece, field), text.substr(at), used.pieces, visit);
}

void visit_address_kinds(const net::address& a, const key_shapes::visitor& visit) {
  if (a.is_unspecified()) visit(address_kind_number(address_pattern::kind::wildcard));
  if (a.is_loopback()) visit(address_kind_number(address_pattern::kind::loopback));
}

std::array<std::string_view, rule_key::fields> texts_of(const subject& s) { return {s.name, s.name_space, s.image}; }

}  // namespace

void key_shapes::add(const rule_key& key) {
  kinds_ |= 1U << static_cast<unsigned>(key.what);
  auto& of_field = parts_.at(key.field);
  if (key.what == kind::port) port_levels_ |= 1U << key.size;
  if (key.what == kind::text) of_field.whole = true;
  if (key.what == kind::beginning) of_field.beginnings |= std::uint64_t{1} << (key.size - 1);
  if (key.what == kind::end) of_field.ends |= std::uint64_t{1} << (key.size - 1);
  if (key.what == kind::piece) of_field.pieces |= std::uint64_t{1} << (key.size - 1);
}

void key_shapes::visit_keys(const subject& s, const visitor& visit) const {
  for (auto levels = port_levels_; levels != 0; levels &= levels - 1)
    visit(port_block(static_cast<unsigned>(std::countr_zero(levels)), s.port));
  if (has(kind::source)) visit(number_of(kind::source).add(s.source).get());
  if (has(kind::address)) visit(address_number(s.address));
  if (has(kind::address_kind)) visit_address_kinds(s.address, visit);
  for (const auto& l : s.labels) {
    if (has(kind::label_name)) visit(number_of(kind::label_name).add(l.key).get());
    if (has(kind::label)) visit(label_number(l.key, l.value));
  }
  const auto texts = texts_of(s);
  for (std::size_t field = 0; field < parts_.size(); ++field) visit_text(texts[field], field, parts_[field], visit);
}

std::vector<std::vector<rule_key>> ways_to_file(const conditions& c) {
  std::vector<way> ways;
  const auto add = [&ways](std::optional<way> one) {
    if (one && std::ranges::find(ways, *one) == ways.end()) ways.push_back(std::move(*one));
  };
  add(by_ports(c));
  add(by_sources(c));
  add(by_addresses(c));
  const std::array<const std::vector<glob>*, rule_key::fields> texts{&c.names, &c.namespaces, &c.images};
  for (std::size_t field = 0; field < texts.size(); ++field) {
    const auto& patterns = *texts[field];
    add(by_texts(patterns, field, kind::beginning));
    if (std::ranges::all_of(patterns, &glob::is_literal)) continue;
    add(by_texts(patterns, field, kind::end));
    add(by_texts(patterns, field, kind::piece));
  }
  for (const auto& l : c.labels) ways.push_back(by_label(l));
  return ways;
}

}  // namespace rules
