// tls_state: the content of a tls_context. Internal to src/http.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <string>

#include "http/tls.hpp"

namespace http {

struct tls_context::state {
  boost::asio::ssl::context context{boost::asio::ssl::context::tls_client};
  bool insecure = false;
  std::string server_name;
};

}  // namespace http
