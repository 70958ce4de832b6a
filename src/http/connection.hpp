// connection: one HTTP/1.1 connection to a peer, over TCP, with TLS or without, or over a UNIX socket, kept alive
// between requests. No proxy variables, no redirects, no retries: what to do about a failure is the caller's to know.
// Control thread only; one exchange at a time.
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
  std::chrono::milliseconds deadline{5'000};  // for the whole exchange; of a stream: until its header is there
  std::size_t body_bytes = 32 << 20;
};

class connection {
 public:
  // `tls`: the connection is encrypted by it, and the server's certificate checked; the deadline includes the
  // handshake.
  static async::task<base::result<connection>> open(server_address address, std::chrono::milliseconds deadline,
                                                    std::shared_ptr<const tls_context> tls = nullptr);
  connection(connection&&) noexcept;
  connection& operator=(connection&&) noexcept;
  ~connection();

  // Sends one request and reads its whole answer. After an error the connection is not usable() any more; whether the
  // server acted on the request is unknown, except for errc::not_connected, where nothing was sent.
  async::task<base::result<response>> exchange(request r, exchange_limits limits);

  // Sends a request whose answer has no end. `body` of the result is empty: read it piece by piece with read_some(),
  // which waits without a deadline (wrap it in async::within) and answers an empty string at the end of the stream.
  // After that the connection may be usable() for more.
  async::task<base::result<response>> open_stream(request r, exchange_limits limits);
  async::task<base::result<std::string>> read_some();

  // Open, and the server has agreed to keep it so and has not closed it since; it may do so at any moment.
  [[nodiscard]] bool usable() const;
  // Waits until the idle connection was closed by the server; the error: it broke. Cancelled: throws operation_aborted.
  async::task<base::result<>> closed();

  // Has the kernel ask a silent peer every `interval`, whole seconds, whether it is still there: one that has died
  // without closing is noticed within two of them. Does nothing on a UNIX socket.
  void probe_every(std::chrono::seconds interval);

 private:
  struct state;
  explicit connection(std::unique_ptr<state> opened);
  std::unique_ptr<state> state_;
};

}  // namespace http
