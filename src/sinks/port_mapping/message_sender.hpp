// Sends one PortMapping message to a peer that never answers: connect, write, close.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <cstdint>
#include <filesystem>
#include <string>
#include <variant>

#include "base/result.hpp"
#include "io/task.hpp"
#include "net/endpoint.hpp"

namespace port_mapping {

// A UNIX socket (wsl-proxy), or a TCP endpoint (vtunnel's peer end).
using peer_address = std::variant<std::filesystem::path, net::endpoint>;
[[nodiscard]] std::string to_string(const peer_address& peer);

// A connection to it, once it is accepted; the caller sets the deadline.
using stream = boost::asio::generic::stream_protocol::socket;
io::task<base::result<stream>> connect_to(peer_address peer);

// How the peer left the connection: closed it, reset it, or has not done either so far.
enum class ending : std::uint8_t { closed, reset, open };

// Delivers `bytes` on a connection of its own and closes it, within `limit`. Who has read the message closes the
// connection, too, and that is waited for, so that one message has been handled before the next one comes.
// Behind a UNIX socket for a moment only (`open`): success means that the peer's kernel has all of it, and it takes
// connections in their order. Behind a TCP endpoint, which is a tunnel's, up to the limit: a message that the tunnel
// holds would be overtaken. Error timed_out: it may still arrive, or not.
io::task<base::result<ending>> send(peer_address peer, std::string bytes, io::clock::duration limit);

// Whether anybody accepts there: connects and closes. The Go wsl-proxy logs an error for each such connection.
io::task<base::result<>> probe(peer_address peer, io::clock::duration limit);

}  // namespace port_mapping
