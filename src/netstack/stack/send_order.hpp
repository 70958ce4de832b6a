// send_order: the flow that sends the next segment. Owned by flow_sender.
//
// Theory of operation (after RFC 8290): a flow that starts to send comes before those that send continuously, until it
// has sent a quantum; then it joins the end of their queue. So one bulk flow cannot delay a short answer, and bulk
// flows share the link evenly. A flow that runs empty while others wait also joins the end (section 4.2): flows that
// repeatedly send a little cannot starve them.
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
  // The flow whose turn it is. nullopt: no flow has anything to send.
  [[nodiscard]] std::optional<std::uint32_t> current() const;
  // The flow has sent that much. It moves to the end once its quantum is used up.
  void sent(std::uint32_t flow, std::size_t bytes);
  // The flow has nothing more to send at the moment. It may be current() once more after the others.
  void done(std::uint32_t flow);
  // The flow is gone.
  void remove(std::uint32_t flow);

 private:
  index_list fresh_, bulk_;
  std::vector<std::size_t> left_;  // of the quantum, by flow
};

}  // namespace netstack
