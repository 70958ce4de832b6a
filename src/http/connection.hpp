// connection: one HTTP/1.1 connection to a server, over TCP, with or without TLS, or over a UNIX socket. It stays open
// between requests. It follows no proxy variables and no redirects, and does not retry: the caller decides about
// failures. Control thread only; one exchange at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "async/task.hpp"
#include "base/result.hpp"
#include "http/message.hpp"
#include "http/server_address.hpp"
#include "http/tls.hpp"

namespace http {

struct exchange_limits {
  std::chrono::milliseconds deadline{5'000};  // for the whole exchange; for a stream: until its header has arrived
  std::size_t body_bytes = 32 << 20;
  async::clock::time_point* sent = nullptr;  // receives the time when the request has left; outlives the exchange
};

class connection {
 public:
  // With `tls` the connection is encrypted and the server's certificate checked; the deadline includes the handshake.
  static async::task<base::result<connection>> open(server_address address, std::chrono::milliseconds deadline,
                                                    std::shared_ptr<const tls_context> tls = nullptr);
  connection(connection&&) noexcept;
  connection& operator=(connection&&) noexcept;
  ~connection();

  // Sends one request and reads its whole answer. After an error the connection is no longer usable(), and the server
  // may have acted on the request, except after errc::not_connected: then nothing was sent.
  async::task<base::result<response>> exchange(request r, exchange_limits limits);

  // Sends a request whose answer is a stream. The result's body is empty: read it piece by piece with read_some(),
  // which waits without a deadline (wrap it in async::within) and returns an empty string at the end of the stream.
  // After that the connection may be usable() again.
  async::task<base::result<response>> open_stream(request r, exchange_limits limits);
  async::task<base::result<std::string>> read_some();
  // What comes of an error answer's body within the time, 4 KB at most. The connection is of no further use.
  async::task<std::string> read_reason(std::chrono::milliseconds limit);

  // Whether the server keeps the connection open for another request. It may close it at any moment.
  [[nodiscard]] bool usable() const;
  // Returns when the server closes the idle connection; the error: it broke. Cancelled: throws operation_aborted.
  async::task<base::result<>> closed();

  // Makes the kernel probe a silent peer every `interval`, in whole seconds. A peer that died without closing is
  // noticed within two intervals. No effect on a UNIX socket.
  void probe_every(std::chrono::seconds interval);

 private:
  struct state;
  explicit connection(std::unique_ptr<state> opened);
  std::unique_ptr<state> state_;
};

}  // namespace http
