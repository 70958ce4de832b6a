// phrase: how one side verifies that the other side of a fresh connection runs the program that it expects: that side
// sends a phrase first. vtunnel and the virtual network do the same with different phrases.
#pragma once

#include <chrono>
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

// Sends the phrase to a connection that has just been accepted. It fits into an empty socket's buffer.
void send_phrase(int fd, std::string_view phrase);

// Connects to `peer` and reads exactly the phrase. Returns the connection. An error without an answer within `limit`,
// or with another answer. `phrase` outlives the task.
async::task<base::result<base::unique_fd>> expect_phrase(net::stream_address peer, std::string_view phrase,
                                                         std::chrono::milliseconds limit);

}  // namespace handshake
