// openssl_context: the tls_context that tls_context::make makes. Internal to src/http.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <string>

#include "async/task.hpp"
#include "base/result.hpp"
#include "http/any_stream.hpp"
#include "http/tls.hpp"

namespace http {

struct openssl_context final : tls_context {
  async::task<base::result<>> shake_hands(any_stream& stream, const std::string& host) const override;

  mutable boost::asio::ssl::context context{boost::asio::ssl::context::tls_client};  // OpenSSL counts its users in it
  bool insecure = false;
  std::string server_name;
};

}  // namespace http
