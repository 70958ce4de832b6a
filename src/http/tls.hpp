// tls_context: the certificates, keys and trust of TLS connections. Made once, shared by connections. TLS 1.2 or later.
// An interface, because only programs that make one link OpenSSL.
#pragma once

#include <memory>
#include <string>

#include "async/task.hpp"
#include "base/result.hpp"

namespace http {

struct tls_settings {
  std::string ca_pem{};           // trusted authorities; empty: those of the system
  bool insecure = false;          // trust any server
  std::string client_cert_pem{};  // with its chain; empty: no client certificate
  std::string client_key_pem{};
  std::string server_name{};  // that the certificate must be for; empty: the host that is dialled
};

class any_stream;

class tls_context {
 public:
  // Fails if a text is not PEM, or if key and certificate do not match; the error says which.
  static base::result<std::shared_ptr<const tls_context>> make(const tls_settings& settings);

  tls_context() = default;
  tls_context(const tls_context&) = delete;
  tls_context& operator=(const tls_context&) = delete;
  virtual ~tls_context() = default;

  // Begins TLS on a connected stream and checks the server's certificate, which must be for `host` unless the settings
  // name another server. Has no deadline. Both outlive the task. The error says what is wrong with the certificate.
  virtual async::task<base::result<>> shake_hands(any_stream& stream, const std::string& host) const = 0;
};

}  // namespace http
