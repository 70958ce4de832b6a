#include "rules/rule_keys.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
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

rule_key beginning_key(const glob& g, std::size_t field) {
  const auto part = g.prefix().substr(0, rule_key::longest_part);
  return {number_of(kind::beginning, field).add(part).get(), kind::beginning, static_cast<std::uint8_t>(field),
          static_cast<std::uint8_t>(part.size())};
}

rule_key end_key(const glob& g, std::size_t field) {
  const auto part = g.suffix().substr(g.suffix().size() - std::min(g.suffix().size(), rule_key::longest_part));
  return {number_of(kind::end, field).add_backwards(part).get(), kind::end, static_cast<std::uint8_t>(field),
          static_cast<std::uint8_t>(part.size())};
}

// By the beginnings of the patterns or by their ends, where each has at least one of the two.
std::optional<way> by_texts(const std::vector<glob>& patterns, std::size_t field, bool rather_ends) {
  if (patterns.empty()) return std::nullopt;
  way keys;
  for (const auto& g : patterns) {
    if (g.is_literal()) {
      keys.push_back({number_of(kind::text, field).add(g.text()).get(), kind::text, static_cast<std::uint8_t>(field)});
      continue;
    }
    if (g.prefix().empty() && g.suffix().empty()) return std::nullopt;
    const bool by_end = g.prefix().empty() || (rather_ends && !g.suffix().empty());
    keys.push_back(by_end ? end_key(g, field) : beginning_key(g, field));
  }
  return keys;
}

bool has_two_ends(const glob& g) { return !g.is_literal() && !g.prefix().empty() && !g.suffix().empty(); }

way by_label(const label_pattern& l) {
  if (l.value && l.value->is_literal()) return {{label_number(l.key, l.value->text()), kind::label}};
  return {{number_of(kind::label_name).add(l.key).get(), kind::label_name}};
}

void visit_text(std::string_view text, std::size_t field, std::uint64_t beginnings, std::uint64_t ends,
                const key_shapes::visitor& visit) {
  number_of begun(kind::beginning, field), ended(kind::end, field);
  for (std::size_t at = 0; at < text.size() && (beginnings | ends) >> at != 0; ++at) {
    begun.add(text[at]);
    ended.add(text[text.size() - 1 - at]);
    if (((beginnings >> at) & 1U) != 0) visit(begun.get());
    if (((ends >> at) & 1U) != 0) visit(ended.get());
    if (at + 1 == rule_key::longest_part) return;
  }
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
  for (std::size_t field = 0; field < parts_.size(); ++field) {
    const auto text = texts_of(s)[field];
    const auto& used = parts_[field];
    if (used.whole && !text.empty()) visit(number_of(kind::text, field).add(text).get());
    visit_text(text, field, used.beginnings, used.ends, visit);
  }
}

std::vector<std::vector<rule_key>> ways_to_file(const conditions& c) {
  std::vector<way> ways;
  const auto add = [&ways](std::optional<way> one) {
    if (one) ways.push_back(std::move(*one));
  };
  add(by_ports(c));
  add(by_sources(c));
  add(by_addresses(c));
  const std::array<const std::vector<glob>*, rule_key::fields> texts{&c.names, &c.namespaces, &c.images};
  for (std::size_t field = 0; field < texts.size(); ++field) {
    add(by_texts(*texts[field], field, false));
    if (std::ranges::any_of(*texts[field], has_two_ends)) add(by_texts(*texts[field], field, true));
  }
  for (const auto& l : c.labels) ways.push_back(by_label(l));
  return ways;
}

}  // namespace rules
