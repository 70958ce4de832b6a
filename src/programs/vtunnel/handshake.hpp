// handshake: how the host end verifies that a VM runs a vtunnel peer, and not another program: the peer sends the seed
// phrase to each client of its handshake port. The host end reads exactly that many bytes, as the original does. Bytes
// behind the phrase are ignored: the connection is closed and never carries data.
#pragma once

#include <chrono>
#include <string_view>

#include "async/task.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/stream_address.hpp"

namespace vtunnel {

inline constexpr std::string_view seed_phrase = "github.com/rancher-sandbox/rancher-desktop-vtunnel";

// The peer's side: sends the phrase to each client of `listening` (non-blocking), and closes. Runs until cancelled.
async::task<> answer_handshakes(base::unique_fd listening);

// The host's side, once: an error without an answer within `limit`, or with an answer that is not the phrase.
async::task<base::result<>> shake_hands(net::stream_address peer, std::chrono::milliseconds limit);

}  // namespace vtunnel
