// flow_table: finds a flow by its addresses and ports. Owned by flow_list; it holds numbers of flows, not flows.
//
// Theory of operation: open addressing with linear probing and a keyed hash. A removal moves later entries back, so
// there are no tombstones, and a failed look-up ends at the first empty place. The table doubles when it is three
// quarters full, and only when a flow is added: no packet causes an allocation.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "netstack/stack/flow_id.hpp"
#include "netstack/stack/keyed_hash.hpp"

namespace netstack {

// A TCP flow as its packets identify it: the VM's end, and the other end as the VM sees it.
struct flow_key {
  endpoint vm;
  endpoint peer;

  auto operator<=>(const flow_key&) const = default;
};

class flow_table {
 public:
  explicit flow_table(const keyed_hash& hash) : hash_(hash), places_(64) {}

  [[nodiscard]] std::optional<std::uint32_t> find(const flow_key& key) const;
  // The key must not be there.
  void add(const flow_key& key, std::uint32_t index);
  void remove(const flow_key& key);

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  static constexpr std::uint32_t none = 0xffff'ffff;
  struct place {
    flow_key key;
    std::uint32_t index = none;
  };

  [[nodiscard]] std::size_t home_of(const flow_key& key) const;
  // Where the key is, or the empty place where it belongs.
  [[nodiscard]] std::size_t place_of(const flow_key& key) const;
  void grow();

  keyed_hash hash_;
  std::vector<place> places_;  // their number is a power of two
  std::size_t size_ = 0;
};

}  // namespace netstack
