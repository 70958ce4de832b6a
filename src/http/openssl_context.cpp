#include "http/openssl_context.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "async/task.hpp"
#include "base/result.hpp"
#include "http/any_stream.hpp"
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

auto finish(asio::cancellation_slot stop, stream_layer::done to) {
  return asio::bind_cancellation_slot(
      stop, [to = std::move(to)](boost::system::error_code ec, std::size_t size) mutable { to(ec, size); });
}

class tls_layer final : public stream_layer {
 public:
  tls_layer(any_stream::socket_type& socket, asio::ssl::context& context) : tls_(socket, context) {}
  asio::ssl::stream<any_stream::socket_type&>& tls() { return tls_; }

  void read_some(asio::mutable_buffer into, asio::cancellation_slot stop, done to) override {
    tls_.async_read_some(into, finish(stop, std::move(to)));
  }
  void write_some(asio::const_buffer from, asio::cancellation_slot stop, done to) override {
    tls_.async_write_some(from, finish(stop, std::move(to)));
  }

 private:
  asio::ssl::stream<any_stream::socket_type&> tls_;
};

}  // namespace

// SNI carries a host name, never an address.
async::task<base::result<>> openssl_context::shake_hands(any_stream& stream, const std::string& host) const {
  auto layer = std::make_unique<tls_layer>(stream.socket(), context);
  auto& tls = layer->tls();
  stream.encrypt(std::move(layer));
  const auto& name = server_name.empty() ? host : server_name;
  const bool is_address = net::address::parse(name).has_value();
  if (!is_address)
    ::SSL_ctrl(tls.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               const_cast<char*>(name.c_str()));
  boost::system::error_code ec;
  tls.set_verify_mode(insecure ? asio::ssl::verify_none : asio::ssl::verify_peer, ec);
  if (!expect_name(tls.native_handle(), name, is_address)) co_return base::fail("TLS: not a server name: " + name);
  const auto [failed] = co_await tls.async_handshake(asio::ssl::stream_base::client, async::nothrow);
  co_await async::check_cancelled();
  if (!failed) co_return base::result<>{};
  const auto verified = ::SSL_get_verify_result(tls.native_handle());
  if (!insecure && verified != X509_V_OK) co_return base::fail(verdict(verified, name));
  co_return base::fail(static_cast<std::error_code>(failed), "TLS");
}

}  // namespace http
