// ready: the host's answer to the VM's phrase: "READY", five bytes. The original VM side reads exactly these and
// closes. After them the host lists what else it supports, as words "name=value" up to a newline; a VM side ignores
// words that it does not know. The only word so far is "offload=1": the markers of offload_agreement.hpp, version 1.
// Pure.
#pragma once

#include <string>
#include <string_view>

namespace handshake {

[[nodiscard]] std::string ready_message(bool offers_offload);

// The VM's side: reads the answer as it arrives, longest_answer bytes at most.
class ready_reader {
 public:
  // reading: less than "READY" so far. ready: "READY", and more may follow. complete: the newline has arrived, or the
  // answer has reached its longest size. wrong: any other text.
  enum class state { reading, ready, complete, wrong };
  static constexpr std::size_t longest_answer = 256;  // bytes

  state feed(std::string_view bytes);
  // Only a whole word counts: a space or the newline follows it.
  [[nodiscard]] bool offers_offload() const;

 private:
  std::string text_;
};

}  // namespace handshake
