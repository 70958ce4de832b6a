// session: one connection of the server, and the state that all connections of one server share. Internal to src/http.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "async/condition.hpp"
#include "base/unique_fd.hpp"
#include "http/server.hpp"
#include "http/slot_table.hpp"

namespace http {

struct session;

inline constexpr std::size_t beside_the_head = 16 << 10;  // room in a session's buffer after a head

struct server_state {
  server_state(const async::executor& where, handler h, server_limits l)
      : handle(std::move(h)), limits(l), slots(l.connections), slot_freed(where) {}
  // Closes the connection at once; its task ends by itself.
  void close(slot_table::id id);
  // Makes room for `size` more bytes of answers under way by closing slow readers: each time the oldest one of the
  // caller with the most bytes.
  void reserve_answer(std::size_t size, const session* asker);

  handler handle;
  server_limits limits;
  slot_table slots;
  async::condition slot_freed;
  std::map<slot_table::id, session*> open;
  std::size_t unsent = 0;  // bytes of answers under way
  std::uint64_t writes = 0;
  slot_table::id last_id = 0;
};

struct session {
  using socket_type = boost::asio::generic::stream_protocol::socket;

  session(socket_type s, std::shared_ptr<server_state> st, std::string caller);
  session(const session&) = delete;
  session& operator=(const session&) = delete;
  ~session();

  // Releases the slot and the descriptor.
  void close();
  // Counts this many bytes as under way until the next call.
  void set_unsent(std::size_t bytes);

  socket_type socket;
  std::shared_ptr<server_state> server;
  slot_table::id id;
  std::string peer;
  // Holds a head, a chunk's head or a trailer in one piece. A longer one is an error.
  boost::beast::flat_buffer buffer{server->limits.header_bytes + beside_the_head};
  std::size_t unsent = 0;
  std::uint64_t writing_since = 0;  // order among all sessions
};

// Reads and answers requests until either side closes.
async::task<> serve_session(std::shared_ptr<session> s);

}  // namespace http
