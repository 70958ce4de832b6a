// ready: what the host answers to the VM's phrase: "READY", five bytes. The original VM side reads exactly these and
// closes. Behind them the host writes what else it can do, as words "name=value" up to a newline; a VM side that does
// not know a word ignores it. The one word so far: "offload=1", the markers of offload_agreement.hpp, version 1. Pure.
#pragma once

#include <string>
#include <string_view>

namespace handshake {

[[nodiscard]] std::string ready_message(bool offers_offload);

// The VM's side: reads the answer as it arrives, longest_answer bytes at most.
class ready_reader {
 public:
  // reading: less than "READY" so far. ready: "READY", and more may follow. complete: the newline has come, or more than
  // an answer has. wrong: another text.
  enum class state { reading, ready, complete, wrong };
  static constexpr std::size_t longest_answer = 256;  // bytes

  state feed(std::string_view bytes);
  // Only a whole word counts: behind it stands a space or the newline.
  [[nodiscard]] bool offers_offload() const;

 private:
  std::string text_;
};

}  // namespace handshake
