// tls_context: the certificates, keys and trust of TLS connections. Made once, shared by connections. TLS 1.2 or later.
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"

namespace http {

struct tls_settings {
  std::string ca_pem{};           // trusted authorities; empty: those of the system
  bool insecure = false;          // trust any server
  std::string client_cert_pem{};  // with its chain; empty: no client certificate
  std::string client_key_pem{};
  std::string server_name{};  // that the certificate must be for; empty: the host that is dialled
};

class tls_context {
 public:
  // Fails if a text is not PEM, or if key and certificate do not match; the error says which.
  static base::result<std::shared_ptr<const tls_context>> make(const tls_settings& settings);
  ~tls_context();

  struct state;
  [[nodiscard]] state& inner() const { return *state_; }  // for connection

 private:
  explicit tls_context(std::unique_ptr<state> made);
  std::unique_ptr<state> state_;
};

}  // namespace http
