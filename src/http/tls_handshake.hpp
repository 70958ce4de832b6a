// tls_handshake: begins TLS on a connected stream and checks the server's certificate.
#pragma once

#include <string>

#include "async/task.hpp"
#include "base/result.hpp"
#include "http/any_stream.hpp"
#include "http/tls.hpp"

namespace http {

// The certificate must be for `host`, unless `with` names another server. Has no deadline. The arguments outlive the
// task. The error says what is wrong with the certificate.
async::task<base::result<>> shake_hands(any_stream& stream, const tls_context& with, const std::string& host);

}  // namespace http
