// tls_context: with what a TLS connection proves who it is, and checks who the server is: certificates, keys, trust.
// Made once, shared by connections. TLS 1.2 at least.
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"

namespace http {

struct tls_settings {
  std::string ca_pem{};           // whom to trust; empty: the system's authorities
  bool insecure = false;          // trust anybody
  std::string client_cert_pem{};  // and the chain behind it; empty: none is shown
  std::string client_key_pem{};
  std::string server_name{};  // the name or address that the server's certificate has to have; empty: the one dialled
};

class tls_context {
 public:
  // Fails where a text is no PEM, or where key and certificate do not belong together; the error says which.
  static base::result<std::shared_ptr<const tls_context>> make(const tls_settings& settings);
  ~tls_context();

  struct state;
  [[nodiscard]] state& inner() const { return *state_; }  // for connection

 private:
  explicit tls_context(std::unique_ptr<state> made);
  std::unique_ptr<state> state_;
};

}  // namespace http
