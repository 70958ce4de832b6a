#include "programs/guestagentctl/port_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocols/status_document/document.hpp"

namespace guestagentctl {
namespace {

using status_document::claim;
using status_document::peer_port;
using status_document::port;

constexpr std::size_t container_id_length = 64, shown_id_length = 12;

// By how much another number of the port differs from the host's.
std::optional<int> offset(const port& p, std::optional<std::uint16_t> other) {
  return other ? std::optional(*other - p.number) : std::nullopt;
}

bool same_claim(const claim& a, const claim& b) {
  return a.source == b.source && a.owner == b.owner && a.name == b.name && a.address == b.address;
}

bool same_state(const peer_port& a, const peer_port& b) {
  return a.name == b.name && a.state == b.state && a.reason == b.reason;
}

bool same_owner(const port& a, const port& b) {
  return a.source == b.source && a.owner == b.owner && a.name == b.name &&
         std::ranges::equal(a.claims, b.claims, same_claim);
}

bool same_decision(const port& a, const port& b) {
  return a.decision == b.decision && a.reason == b.reason && a.rule == b.rule &&
         std::ranges::equal(a.peers, b.peers, same_state);
}

bool continues(const port_range& range, const port& next) {
  const auto& first = *range.first;
  return next.protocol == first.protocol && next.address == first.address &&
         next.number == first.number + range.count &&
         offset(next, next.guest_port) == offset(first, first.guest_port) &&
         offset(next, next.container_port) == offset(first, first.container_port) && same_owner(first, next) &&
         same_decision(first, next);
}

bool is_hex(const std::string& text) { return text.find_first_not_of("0123456789abcdef") == std::string::npos; }

}  // namespace

std::vector<port_range> fold(const std::vector<const port*>& ports) {
  std::vector<port_range> ranges;
  for (const auto* p : ports) {
    if (!ranges.empty() && continues(ranges.back(), *p))
      ++ranges.back().count;
    else
      ranges.push_back({p});
  }
  return ranges;
}

std::vector<port_range> unfolded(const std::vector<const port*>& ports) {
  std::vector<port_range> ranges;
  ranges.reserve(ports.size());
  for (const auto* p : ports) ranges.push_back({p});
  return ranges;
}

std::string numbers(std::uint16_t first, std::size_t count) {
  return count > 1 ? fmt::format("{}-{}", first, first + count - 1) : std::to_string(first);
}

std::string host_of(const port_range& range) {
  const auto& p = *range.first;
  const bool v6 = p.address.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", p.address, v6 ? "]" : "", numbers(p.number, range.count));
}

bool is_for_peers(const port& p) { return p.decision == "exposed" || p.decision == status_document::leftover_decision; }

bool is_open(const peer_port& at) { return at.state == "applied" || at.state == "foreign"; }

std::string short_id(const std::string& owner) {
  const auto slash = owner.find('/');  // containerd's ids have a namespace before them
  const auto begin = slash == std::string::npos ? 0 : slash + 1;
  const auto id = owner.substr(begin);
  const bool long_id = id.size() == container_id_length && is_hex(id);
  return long_id ? owner.substr(0, begin + shown_id_length) : owner;
}

std::string owner_text(const std::string& owner, const std::string& name) {
  return name.empty() ? short_id(owner) : name;
}

std::string retry_text(std::optional<std::int64_t> milliseconds) {
  return milliseconds ? fmt::format(", retrying in {:.1f} s", static_cast<double>(*milliseconds) / 1000.0)
                      : std::string();
}

}  // namespace guestagentctl
