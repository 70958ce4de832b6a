// source_id: which source claims a port. This file is the registry: no other code of the domain names a source.
//
// A source has a name, which the journal, the status and the log show, and a rank. Of several claims of one key the one
// with the lowest rank comes first: its owner is shown. Sources that know containers come before those that see rules,
// and these before the one that sees sockets. A new source takes a rank that is free.
#pragma once

#include <array>
#include <bitset>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string_view>

namespace ports {

inline constexpr std::size_t max_sources = 16;

class source_id {
 public:
  // What a source sees may be another source's port: a socket is, for example, a container's. Then nothing follows from
  // its name in the journal. Others know whose port it is.
  enum class sight : std::uint8_t { owners, own_ports, any_ports };

  static const source_id docker, containerd, kubernetes, iptables, listeners, status_page, fixed;

  // The first one, for a forward that was found at a peer and that no source has claimed yet.
  constexpr source_id();
  // A rank that is too high does not compile. `name` is a literal.
  consteval source_id(std::uint8_t rank, const char* name, sight seen = sight::own_ports)
      : name_(name), rank_(rank), sight_(seen) {
    if (rank >= max_sources) throw std::out_of_range("no such rank");
  }

  [[nodiscard]] constexpr std::string_view name() const { return name_; }
  [[nodiscard]] constexpr std::size_t rank() const { return rank_; }
  [[nodiscard]] constexpr bool knows_owners() const { return sight_ == sight::owners; }
  [[nodiscard]] constexpr bool sees_any_ports() const { return sight_ == sight::any_ports; }

  friend constexpr bool operator==(const source_id& a, const source_id& b) { return a.rank_ == b.rank_; }
  friend constexpr auto operator<=>(const source_id& a, const source_id& b) { return a.rank_ <=> b.rank_; }

 private:
  const char* name_;  // a literal; one word, because each forward has an id
  std::uint8_t rank_;
  sight sight_;
};

inline constexpr source_id source_id::docker{0, "docker", sight::owners};
inline constexpr source_id source_id::containerd{1, "containerd", sight::owners};
inline constexpr source_id source_id::kubernetes{2, "kubernetes", sight::owners};
inline constexpr source_id source_id::iptables{3, "iptables"};
inline constexpr source_id source_id::listeners{4, "listeners", sight::any_ports};
inline constexpr source_id source_id::status_page{max_sources - 2, "status-page"};
inline constexpr source_id source_id::fixed{max_sources - 1, "static"};

constexpr source_id::source_id() : source_id(docker) {}

inline constexpr std::array registered_sources{source_id::docker,   source_id::containerd, source_id::kubernetes,
                                               source_id::iptables, source_id::listeners,  source_id::status_page,
                                               source_id::fixed};

inline constexpr auto registered_names = [] {
  std::array<std::string_view, registered_sources.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = registered_sources[i].name();
  return names;
}();

[[nodiscard]] constexpr std::string_view to_string(const source_id& id) { return id.name(); }
[[nodiscard]] std::optional<source_id> parse_source(std::string_view text,
                                                    std::span<const source_id> known = registered_sources);

// A set of sources, by rank.
using source_set = std::bitset<max_sources>;
inline constexpr source_set all_sources{(1ULL << max_sources) - 1};

}  // namespace ports
