// message_sender: sends one PortMapping message to a peer that never answers: connect, write, close.
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

// Connects to the peer: a UNIX socket (wsl-proxy) or a TCP endpoint (vtunnel's peer end).
using stream = boost::asio::generic::stream_protocol::socket;
using stream_ptr = std::shared_ptr<stream>;
async::task<base::result<stream_ptr>> open_stream(net::stream_address peer, async::clock::time_point deadline);

// How the peer ended the connection: closed, reset, or not yet.
enum class ending : std::uint8_t { closed, reset, open };

struct send_failure : base::error {
  bool nothing_sent = false;  // no connection was made
};

struct send_limits {
  std::chrono::milliseconds deadline{5'000};  // until the peer's kernel has the whole message
  std::chrono::milliseconds patience{250};    // then, until the peer closes the connection
};

// Delivers `bytes` on one connection. A receiver closes it when it has read the message; waiting for that keeps the
// next message from overtaking this one. If it does not close the connection, the result is `open`, and it has the
// message as well. After an error the message may still arrive, unless nothing was sent.
async::task<std::expected<ending, send_failure>> send(net::stream_address peer, std::string bytes, send_limits limits);

// Whether a program accepts there: connects and closes. The Go wsl-proxy logs an error for each such connection.
async::task<base::result<>> probe(net::stream_address peer, async::clock::duration limit);

}  // namespace port_mapping_peer
