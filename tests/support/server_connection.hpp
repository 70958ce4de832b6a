// server_connection: the server's end of one connection, with TLS or without, for a fake with a thread for each.
// Blocking, by plain system calls and OpenSSL: independent of the code under test.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"
#include "tests/support/test_certificates.hpp"

struct ssl_ctx_st;
struct ssl_st;

namespace support {

// The certificates and requirements of a server; shared by its connections.
class server_tls {
 public:
  // `client_ca_pem` not empty: clients may present a certificate of it; with `required` they must.
  server_tls(const certificate& own, const std::string& client_ca_pem, bool required);
  server_tls(const server_tls&) = delete;
  server_tls& operator=(const server_tls&) = delete;
  ~server_tls();
  [[nodiscard]] ssl_ctx_st* context() const { return context_; }

 private:
  ssl_ctx_st* context_;
};

struct server_request {
  std::string method, target;
  std::map<std::string, std::string> headers;  // names in lower case
};

class server_connection {
 public:
  explicit server_connection(base::unique_fd fd) : fd_(std::move(fd)) {}
  server_connection(const server_connection&) = delete;
  server_connection& operator=(const server_connection&) = delete;
  ~server_connection();

  bool start_tls(const server_tls& tls);  // false: the handshake failed
  // Lines for the header of each answer, "Connection: close\r\n".
  void set_header_lines(std::string lines) { header_lines_ = std::move(lines); }
  // The next request, which has no body; nothing if the client is gone or sent garbage.
  std::optional<server_request> read_request();
  bool write(std::string_view bytes);  // false: the client is gone
  bool write_answer(int status, std::string_view body, std::string_view type = "application/json");
  bool write_half_of_answer(std::string_view body);
  bool write_stream_head();                  // of an answer in chunks
  bool write_chunk(std::string_view bytes);  // an empty one ends the answer
  [[nodiscard]] bool gone() const;           // the client has closed; does not wait
  void cut();                                // on any thread: ends the wait of the connection's own thread

 private:
  base::unique_fd fd_;
  ssl_st* ssl_ = nullptr;
  std::string buffer_, header_lines_;
};

}  // namespace support
