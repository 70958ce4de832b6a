// server: HTTP/1.1 on the connections that an acceptor gives. One task a connection; keep-alive with an idle timeout;
// bounded heads, bodies, buffers and answers; a deadline on every read and write. With too many connections, slot_table
// chooses the one to close. Requests that RFC 9112 forbids are refused before the handler sees them (request_head.hpp).
// A client of HTTP/1.0 gets its answer without chunks, and the connection is closed after it. Control thread only.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "async/task.hpp"
#include "base/shared_text.hpp"
#include "base/unique_fd.hpp"
#include "http/message.hpp"
#include "net/address.hpp"
#include "os/acceptor.hpp"

namespace http {

struct server_limits {
  std::size_t connections = 256;
  std::size_t header_bytes = 16 << 10;
  std::size_t body_bytes = 1 << 20;
  std::size_t unsent_bytes = 16 << 20;        // of all answers under way, unless a single one is larger
  std::chrono::milliseconds request{10'000};  // for a whole request to arrive: since the accept, or its first byte
  std::chrono::milliseconds idle{10'000};     // between an answer and the next request's first byte
  std::chrono::milliseconds write{10'000};    // for the client to take an answer, or a piece of a stream
};

struct incoming {
  request head;      // with the body
  std::string peer;  // the client's address, "192.168.127.2"; empty over a UNIX socket
};

// Writes one piece of a streamed answer, which several streams may share; false when the client is gone.
using stream_writer = std::function<async::task<bool>(base::shared_text piece)>;

// The result of a handler: a response, and for a stream the function that writes its body piece by piece.
struct answer {
  response head;
  std::function<async::task<>(stream_writer)> stream{};
};
using handler = std::function<async::task<answer>(incoming)>;

// Whether to serve a client at this address. Otherwise its connection is closed unread, and never holds a slot.
using admission = std::function<bool(const net::address& client)>;

// Serves the connections that `from` accepts, until cancelled. With `admits`, a client without an IP address is
// refused.
async::task<> serve(std::unique_ptr<os::acceptor> from, handler handle, server_limits limits = {},
                    admission admits = {});
// The same for a listening socket.
async::task<> serve(base::unique_fd listener, handler handle, server_limits limits = {}, admission admits = {});

}  // namespace http
