// Sends one PortMapping message to a peer that never answers: connect, write, close.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <chrono>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>
#include <variant>

#include "async/task.hpp"
#include "base/result.hpp"
#include "net/endpoint.hpp"

namespace port_mapping_peer {

// A UNIX socket (wsl-proxy), or a TCP endpoint (vtunnel's peer end).
using peer_address = std::variant<std::filesystem::path, net::endpoint>;
[[nodiscard]] std::string to_string(const peer_address& peer);

// A connection to it, once it is accepted; the caller sets the deadline.
using stream = boost::asio::generic::stream_protocol::socket;
async::task<base::result<stream>> connect_to(peer_address peer);

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
async::task<std::expected<ending, send_failure>> send(peer_address peer, std::string bytes, send_limits limits);

// Whether anybody accepts there: connects and closes. The Go wsl-proxy logs an error for each such connection.
async::task<base::result<>> probe(peer_address peer, async::clock::duration limit);

}  // namespace port_mapping_peer
