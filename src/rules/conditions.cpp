#include "rules/conditions.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/address.hpp"
#include "rules/glob.hpp"

namespace rules {
namespace {

bool matches_any(const std::vector<glob>& patterns, std::string_view text) {
  if (patterns.empty()) return true;
  return !text.empty() && std::ranges::any_of(patterns, [text](const glob& g) { return g.matches(text); });
}

// Of two lists of alternatives, where an empty one stands for everything.
template <class T, class Covers>
bool covers_list(const std::vector<T>& wide, const std::vector<T>& narrow, Covers covers) {
  if (wide.empty()) return true;
  const auto is_covered = [&](const T& one) {
    return std::ranges::any_of(wide, [&](const T& w) { return covers(w, one); });
  };
  return !narrow.empty() && std::ranges::all_of(narrow, is_covered);
}

constexpr auto covers_one = [](const auto& wide, const auto& narrow) { return wide.covers(narrow); };

bool covers_labels(const std::vector<label_pattern>& wide, const std::vector<label_pattern>& narrow) {
  return std::ranges::all_of(wide, [&](const label_pattern& w) {
    return std::ranges::any_of(narrow, [&](const label_pattern& n) { return w.covers(n); });
  });
}

constexpr std::size_t steps_at_once = 64;  // of a pattern's match, which take as long as another comparison

// The most that covers() does for two lists of patterns: each with each, by the lengths where one has to be matched.
template <class T, class PatternOf>
std::size_t cost_of(const std::vector<T>& wide, const std::vector<T>& narrow, PatternOf pattern_of) {
  std::size_t patterns = 0, texts = 0;
  for (const auto& w : wide)
    if (const glob* g = pattern_of(w); g != nullptr && !g->is_literal()) patterns += g->text().size();
  for (const auto& n : narrow)
    if (const glob* g = pattern_of(n); g != nullptr && g->is_literal()) texts += g->text().size();
  return wide.size() * narrow.size() + patterns * texts / steps_at_once;
}

}  // namespace

bool address_pattern::matches(const net::address& address) const {
  if (what == kind::exact) return address == exact;
  return what == kind::wildcard ? address.is_unspecified() : address.is_loopback();
}

bool address_pattern::covers(const address_pattern& other) const {
  return *this == other || (other.what == kind::exact && matches(other.exact));
}

bool label_pattern::matches(std::span<const label> labels) const {
  return std::ranges::any_of(labels,
                             [this](const label& l) { return l.key == key && (!value || value->matches(l.value)); });
}

bool label_pattern::may_match(const subject& s) const {
  if (matches(s.labels)) return true;
  return !s.labels_complete && std::ranges::find(s.labels, key, &label::key) == s.labels.end();
}

bool label_pattern::covers(const label_pattern& other) const {
  if (key != other.key) return false;
  return !value || (other.value && value->covers(*other.value));
}

bool conditions::matches_port(const subject& s) const {
  if (ports && !ports->contains(s.port)) return false;
  if (protocol && *protocol != s.protocol) return false;
  return addresses.empty() ||
         std::ranges::any_of(addresses, [&s](const address_pattern& a) { return a.matches(s.address); });
}

bool conditions::matches_owner(const subject& s) const {
  if (!sources.empty() && std::ranges::find(sources, s.source) == sources.end()) return false;
  if (!matches_any(names, s.name) || !matches_any(namespaces, s.name_space) || !matches_any(images, s.image))
    return false;
  return std::ranges::all_of(labels, [&s](const label_pattern& l) { return l.may_match(s); });
}

bool conditions::is_certain(const subject& s) const {
  return s.labels_complete || std::ranges::all_of(labels, [&s](const label_pattern& l) { return l.matches(s.labels); });
}

bool conditions::covers(const conditions& other) const {
  if (ports && !ports->contains(other.ports.value_or(port_range{}))) return false;
  if (protocol && protocol != other.protocol) return false;
  const auto equal = [](const std::string& a, const std::string& b) { return a == b; };
  return covers_list(sources, other.sources, equal) && covers_list(addresses, other.addresses, covers_one) &&
         covers_list(names, other.names, covers_one) && covers_list(namespaces, other.namespaces, covers_one) &&
         covers_list(images, other.images, covers_one) && covers_labels(labels, other.labels);
}

std::size_t conditions::cost_of_covers(const conditions& other) const {
  const auto itself = [](const glob& g) { return &g; };
  const auto value = [](const label_pattern& l) { return l.value ? &*l.value : nullptr; };
  return 1 + sources.size() * other.sources.size() + addresses.size() * other.addresses.size() +
         cost_of(names, other.names, itself) + cost_of(namespaces, other.namespaces, itself) +
         cost_of(images, other.images, itself) + cost_of(labels, other.labels, value);
}

}  // namespace rules
