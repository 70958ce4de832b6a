// handshake: how the host end makes sure that it talks to a VM with a vtunnel peer in it, and not to another VM or
// another program: whoever connects to the peer's handshake port is sent the seed phrase, and nothing else.
#pragma once

#include <chrono>
#include <string_view>

#include "async/task.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/stream_address.hpp"

namespace vtunnel {

inline constexpr std::string_view seed_phrase = "github.com/rancher-sandbox/rancher-desktop-vtunnel";

// Compares what arrives with the phrase, as it arrives. Pure.
class phrase_reader {
 public:
  enum class state { reading, matched, wrong };

  state feed(std::string_view bytes);

 private:
  std::size_t matched_ = 0;
  bool wrong_ = false;
};

// The peer's side: sends the phrase to everybody who connects to `listening` (non-blocking), and closes. Until
// cancelled.
async::task<> answer_handshakes(base::unique_fd listening);

// The host's side, once: an error where nobody answers within `limit`, or with anything else than the phrase.
async::task<base::result<>> shake_hands(net::stream_address peer, std::chrono::milliseconds limit);

}  // namespace vtunnel
