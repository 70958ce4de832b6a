// rule_keys: the numbers under which rule_index files rules and looks for those of a subject. A key is made from one
// value of one condition: a block of ports, a source, an address, a label, the whole of a name, its beginning, its end
// or a piece of it. Different values may give the same number.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "rules/conditions.hpp"

namespace rules {

struct rule_key {
  enum class kind : std::uint8_t {
    port,  // aligned block of 2^`size` ports
    source,
    address,
    address_kind,
    label,
    label_name,
    text,       // of the field `field`
    beginning,  // the first `size` bytes of it
    end,        // the last ones
    piece,      // as many, anywhere in it
  };
  // Names, namespaces and images.
  static constexpr std::size_t fields = 3;
  static constexpr std::size_t longest_part = 64;  // of a beginning or end, in bytes
  static constexpr std::size_t shortest_piece = 2, longest_piece = 16;

  std::uint64_t number = 0;
  kind what = kind::port;
  std::uint8_t field = 0;
  std::uint8_t size = 0;

  bool operator==(const rule_key&) const = default;
};

// Which kinds and sizes of keys there are. A subject is looked for by these alone.
class key_shapes {
 public:
  using visitor = std::function<void(std::uint64_t)>;

  // Calls `visit` with the number of each key that the subject has.
  void visit_keys(const subject& s, const visitor& visit) const;
  void add(const rule_key& key);

 private:
  [[nodiscard]] bool has(rule_key::kind what) const { return ((kinds_ >> static_cast<unsigned>(what)) & 1U) != 0; }

  std::uint32_t kinds_ = 0;        // bit n: kind n
  std::uint32_t port_levels_ = 0;  // bit n: blocks of 2^n ports
  struct parts {
    bool whole = false;
    std::uint64_t beginnings = 0, ends = 0, pieces = 0;  // bit n: of n + 1 bytes
  };
  std::array<parts, rule_key::fields> parts_{};
};

// The ways to file a rule with these conditions. By each of them, every subject that matches has one of its
// keys, but for a label that is missing in it.
[[nodiscard]] std::vector<std::vector<rule_key>> ways_to_file(const conditions& c);

}  // namespace rules
