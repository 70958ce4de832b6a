#include "http/tls_handshake.hpp"

#include <string>
#include <system_error>

#include "async/task.hpp"
#include "base/result.hpp"
#include "http/any_stream.hpp"
#include "http/tls.hpp"
#include "http/tls_state.hpp"
#include "net/address.hpp"

namespace http {
namespace {

namespace asio = boost::asio;

// OpenSSL checks the name, so its verdict says whether the name is wrong.
bool expect_name(::SSL* tls, const std::string& name, bool is_address) {
  auto* wanted = ::SSL_get0_param(tls);
  ::X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return (is_address ? ::X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str())
                     : ::X509_VERIFY_PARAM_set1_host(wanted, name.c_str(), name.size())) == 1;
}

std::string verdict(long verified, const std::string& name) {
  const bool other = verified == X509_V_ERR_HOSTNAME_MISMATCH || verified == X509_V_ERR_IP_ADDRESS_MISMATCH;
  return std::string("TLS: ") + ::X509_verify_cert_error_string(verified) + (other ? ": not for " + name : "");
}

}  // namespace

// SNI carries a host name, never an address.
async::task<base::result<>> shake_hands(any_stream& stream, const tls_context& with, const std::string& host) {
  auto& settings = with.inner();
  auto& tls = stream.start_tls(settings.context);
  const auto& name = settings.server_name.empty() ? host : settings.server_name;
  const bool is_address = net::address::parse(name).has_value();
  if (!is_address)
    ::SSL_ctrl(tls.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               const_cast<char*>(name.c_str()));
  boost::system::error_code ec;
  tls.set_verify_mode(settings.insecure ? asio::ssl::verify_none : asio::ssl::verify_peer, ec);
  if (!expect_name(tls.native_handle(), name, is_address)) co_return base::fail("TLS: not a server name: " + name);
  const auto [failed] = co_await tls.async_handshake(asio::ssl::stream_base::client, async::nothrow);
  co_await async::check_cancelled();
  if (!failed) co_return base::result<>{};
  const auto verified = ::SSL_get_verify_result(tls.native_handle());
  if (!settings.insecure && verified != X509_V_OK) co_return base::fail(verdict(verified, name));
  co_return base::fail(static_cast<std::error_code>(failed), "TLS");
}

}  // namespace http
