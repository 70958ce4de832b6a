// flow_list: the places of the TCP flows, and what the stack knows of each. Owned by tcp_flows.
//
// The list grows to the largest number of simultaneous flows. A place is reused with another generation, so the id of a
// flow that has ended finds nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "netstack/stack/flow_id.hpp"
#include "netstack/stack/flow_table.hpp"
#include "netstack/stack/keyed_hash.hpp"
#include "netstack/tcp/connection.hpp"
#include "netstack/tcp/sequence.hpp"
#include "netstack/time_point.hpp"

namespace netstack {

struct flow {
  std::uint32_t generation = 0;
  flow_key key;
  std::unique_ptr<tcp::connection> machine;  // null: the place is free
  tcp::sequence syn;                         // of the VM's SYN
  time_point give_up = time_point::max();    // of one that the owner opens: when the VM has not answered
  std::size_t send_memory = 0;               // as counted in the sum of all flows
  std::size_t receive_memory = 0;            // the same
  std::size_t window = 0;                    // as last set
  bool owned = false;
  bool is_opening = false;  // the VM has not answered yet
  bool is_ours = false;     // the owner opened it
  bool finished = false;    // action::finished was given
  bool is_behind = false;   // the owner has not consumed bytes of an earlier batch
  bool touched = false;
  bool large_window = false;
};

class flow_list {
 public:
  explicit flow_list(const keyed_hash& hash) : table_(hash) {}

  // A place for a flow that the owner knows. The key must not be there. The caller gives it a connection.
  [[nodiscard]] std::uint32_t add(const flow_key& key);
  // Frees the place and its connection.
  void remove(std::uint32_t index);

  [[nodiscard]] flow& operator[](std::uint32_t index) { return flows_[index]; }
  [[nodiscard]] const flow& operator[](std::uint32_t index) const { return flows_[index]; }
  [[nodiscard]] flow_id id_of(std::uint32_t index) const { return {index, flows_[index].generation}; }

  [[nodiscard]] std::optional<std::uint32_t> find(const flow_key& key) const { return table_.find(key); }
  // nullptr: it has ended, or is no longer the owner's.
  [[nodiscard]] flow* find_owned(flow_id id) { return const_cast<flow*>(std::as_const(*this).find_owned(id)); }
  [[nodiscard]] const flow* find_owned(flow_id id) const {
    if (id.index >= flows_.size()) return nullptr;
    const auto& f = flows_[id.index];
    return f.machine && f.owned && f.generation == id.generation ? &f : nullptr;
  }

  [[nodiscard]] std::size_t size() const { return table_.size(); }
  [[nodiscard]] const flow_table& keys() const { return table_; }

 private:
  flow_table table_;
  std::deque<flow> flows_;
  std::vector<std::uint32_t> free_;
};

}  // namespace netstack
