// send_order: which flow sends the next segment. Owned by tcp_flows.
//
// Theory of operation (after RFC 8290): a flow that begins to have something to send comes before those that send on
// and on, until it has sent a quantum; then it takes its place at the end of the others. So one bulk flow cannot delay
// a short answer, and bulk flows share the link evenly. A flow that has emptied before others that wait goes to their
// end, too (section 4.2): flows that come again and again with a little cannot starve them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "netstack/stack/index_list.hpp"

namespace netstack {

class send_order {
 public:
  static constexpr std::size_t quantum = 16'384;  // bytes of frames

  // The flow has something to send.
  void add(std::uint32_t flow);
  // Whose turn it is. Nothing: no flow has anything to send.
  [[nodiscard]] std::optional<std::uint32_t> current() const;
  // The flow has sent this much. It goes to the end once its quantum is used up.
  void sent(std::uint32_t flow, std::size_t bytes);
  // The flow has nothing more to send now. It may be current() once more after the others.
  void done(std::uint32_t flow);
  // The flow is gone.
  void remove(std::uint32_t flow);

 private:
  index_list fresh_, bulk_;
  std::vector<std::size_t> left_;  // of the quantum, by flow
};

}  // namespace netstack
