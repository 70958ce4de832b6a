// phrase: how one side of a new connection verifies that the other side runs the expected program: the other side sends
// a phrase first. vtunnel and the virtual network use different phrases.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "async/task.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/stream_address.hpp"

namespace handshake {

// Compares received bytes with the phrase as they arrive. Pure.
class phrase_reader {
 public:
  enum class state { reading, matched, wrong };

  // `phrase` outlives the reader.
  explicit phrase_reader(std::string_view phrase) : phrase_(phrase) {}

  state feed(std::string_view bytes);
  // Bytes to read until the phrase is complete.
  [[nodiscard]] std::size_t missing() const { return phrase_.size() - matched_; }

 private:
  std::string_view phrase_;
  std::size_t matched_ = 0;
  bool wrong_ = false;
};

// Sends the phrase to a connection that was just accepted. It fits an empty socket buffer.
void send_phrase(int fd, std::string_view phrase);

// Where the other side listens. With a `vm_port`, `address` is the socket of the VM's VMM (vmm_port.hpp).
struct phrase_place {
  net::stream_address address;
  std::optional<std::uint32_t> vm_port;
};

// Connects to `peer` and reads exactly the phrase. Returns the connection. Fails if no answer arrives within `limit`,
// or a different one. `phrase` outlives the task.
async::task<base::result<base::unique_fd>> expect_phrase(phrase_place peer, std::string_view phrase,
                                                         std::chrono::milliseconds limit);

}  // namespace handshake
