// Sends one PortMapping message to a peer that never answers: connect, write, close.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "async/task.hpp"
#include "base/result.hpp"
#include "net/stream_address.hpp"

namespace port_mapping_peer {

// A connection of its own to the peer, a UNIX socket (wsl-proxy) or a TCP endpoint (vtunnel's peer end).
using stream = boost::asio::generic::stream_protocol::socket;
using stream_ptr = std::shared_ptr<stream>;
async::task<base::result<stream_ptr>> open_stream(net::stream_address peer, async::clock::time_point deadline);

// How the peer left the connection: closed it, reset it, or has not done either so far.
enum class ending : std::uint8_t { closed, reset, open };

struct send_failure : base::error {
  bool nothing_sent = false;  // no connection was made
};

struct send_limits {
  std::chrono::milliseconds deadline{5'000};  // until the peer's kernel has all of the message
  std::chrono::milliseconds patience{250};    // after that, until the peer closes the connection
};

// Delivers `bytes` on a connection of its own. A receiver closes the connection when it has read the message; waiting
// for that keeps the next message from overtaking this one. One that does not close it has the message all the same:
// `open`. After an error it may still arrive, unless nothing was sent.
async::task<std::expected<ending, send_failure>> send(net::stream_address peer, std::string bytes, send_limits limits);

// Whether anybody accepts there: connects and closes. The Go wsl-proxy logs an error for each such connection.
async::task<base::result<>> probe(net::stream_address peer, async::clock::duration limit);

}  // namespace port_mapping_peer
