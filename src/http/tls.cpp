#include "http/tls.hpp"

#include <boost/asio/buffer.hpp>
#include <expected>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "http/openssl_context.hpp"

namespace http {
namespace {

namespace asio = boost::asio;

base::result<> check(const boost::system::error_code& ec, const char* what) {
  if (!ec) return {};
  return base::fail(std::string(what) + ": " + ec.message());
}

// OpenSSL would ask for the password on the terminal, and the whole program would wait.
base::result<> readable(const std::string& pem, const char* what) {
  if (pem.find("ENCRYPTED") == std::string::npos) return {};
  return base::fail(std::string(what) + ": is encrypted with a password, which is not supported");
}

// The named certificates are trusted as they are, as in Go: an intermediate authority or the server's own certificate
// needs no root above it.
base::result<> trust(asio::ssl::context& context, const std::string& ca_pem) {
  ::X509_VERIFY_PARAM_set_flags(::SSL_CTX_get0_param(context.native_handle()), X509_V_FLAG_PARTIAL_CHAIN);
  if (auto plain = readable(ca_pem, "certificate authority"); !plain) return plain;
  boost::system::error_code ec;
  if (ca_pem.empty())
    context.set_default_verify_paths(ec);
  else
    context.add_certificate_authority(asio::buffer(ca_pem), ec);
  if (auto sound = check(ec, "certificate authority"); !sound || ca_pem.empty()) return sound;
  const auto* found = ::X509_STORE_get0_objects(::SSL_CTX_get_cert_store(context.native_handle()));
  if (::sk_X509_OBJECT_num(found) == 0) return base::fail("certificate authority: contains no certificate");
  return {};
}

base::result<> identify(asio::ssl::context& context, const std::string& cert_pem, const std::string& key_pem) {
  if (cert_pem.empty()) return {};
  if (auto plain = readable(cert_pem, "client certificate"); !plain) return plain;
  if (auto plain = readable(key_pem, "client key"); !plain) return plain;
  boost::system::error_code ec;
  context.use_certificate_chain(asio::buffer(cert_pem), ec);
  if (ec) return check(ec, "client certificate");
  context.use_private_key(asio::buffer(key_pem), asio::ssl::context::pem, ec);
  return check(ec, "client key");
}

}  // namespace

base::result<std::shared_ptr<const tls_context>> tls_context::make(const tls_settings& settings) {
  auto made = std::make_shared<openssl_context>();
  made->insecure = settings.insecure;
  made->server_name = settings.server_name;
  ::SSL_CTX_set_min_proto_version(made->context.native_handle(), TLS1_2_VERSION);
  if (!settings.insecure)
    if (auto trusted = trust(made->context, settings.ca_pem); !trusted) return std::unexpected(trusted.error());
  if (auto known = identify(made->context, settings.client_cert_pem, settings.client_key_pem); !known)
    return std::unexpected(known.error());
  return made;
}

}  // namespace http
