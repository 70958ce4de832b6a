// http2_server: an HTTP/2 server for tests, on a real UNIX socket, with one thread of its own. What a request is
// answered with, or what goes wrong, is the handler's decision.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

using header_fields = std::vector<std::pair<std::string, std::string>>;

// One request and its answer. Owned by the server; only the handler uses it.
class http2_exchange {
 public:
  http2_exchange() = default;
  http2_exchange(const http2_exchange&) = delete;
  http2_exchange& operator=(const http2_exchange&) = delete;
  virtual ~http2_exchange() = default;

  std::map<std::string, std::string> fields;  // of the request
  std::string body;
  std::size_t position = 0;  // the handler's own
  bool followed = false;     // likewise

  virtual void begin(const header_fields& header) = 0;
  virtual void send(std::string_view bytes) = 0;
  virtual void end(const header_fields& trailers) = 0;  // none: the answer ends with its bytes
  virtual void reset(std::uint32_t code) = 0;
  [[nodiscard]] virtual bool ended() const = 0;

  // About the whole connection.
  virtual void ping() = 0;
  virtual void go_away() = 0;
  virtual void send_raw(std::string bytes) = 0;  // past HTTP/2, after what was sent before
  virtual void cut() = 0;                        // closes the connection when everything was sent
};

struct http2_handler {
  std::function<void(http2_exchange&)> serve;  // when the request is there, and again at each wake() until it has ended
  std::function<void(http2_exchange&)> gone;   // the stream is over
};

class http2_server {
 public:
  // The handler is called in the server's thread.
  http2_server(const std::filesystem::path& socket, http2_handler handler);
  http2_server(const http2_server&) = delete;
  http2_server& operator=(const http2_server&) = delete;
  ~http2_server();  // closes all connections and removes the socket

  // Serves all exchanges again. From any thread.
  void wake();

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace support
