// The client's TLS against a server with OpenSSL's own functions.
#include "http/tls.hpp"

#include <gmock/gmock.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <thread>

#include "http/connection.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/loopback_socket.hpp"
#include "tests/support/server_connection.hpp"

namespace http {
namespace {

using namespace std::chrono_literals;
using support::test_authority;
using testing::HasSubstr;
using testing::MatchesRegex;

std::string trouble(const tls_settings& settings) {
  const auto made = tls_context::make(settings);
  return made ? "" : made.error().message();
}

class tls_test : public testing::Test {
 protected:
  // The answer of a server with that certificate, or the error.
  std::string ask(const support::server_tls& with, const tls_settings& settings) {
    auto listener = support::listen_on_loopback();
    std::thread server([&] {
      pollfd waiting{.fd = listener.fd.get(), .events = POLLIN, .revents = 0};
      if (::poll(&waiting, 1, 10'000) != 1) return;
      support::server_connection one(base::unique_fd(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC)));
      if (one.start_tls(with) && one.read_request()) one.write_answer(200, "hello");
    });
    const auto answer = loop_.run(fetch(listener.port, tls_context::make(settings).value()));
    server.join();
    return answer ? answer->body : answer.error().message();
  }
  static async::task<base::result<response>> fetch(std::uint16_t port, std::shared_ptr<const tls_context> tls) {
    server_address at{.host = "127.0.0.1", .port = port};
    auto opened = co_await connection::open(std::move(at), 8s, std::move(tls));
    if (!opened) co_return std::unexpected(opened.error());
    request r;
    co_return co_await opened->exchange(std::move(r), {});
  }

  test_authority authority_, foreign_;
  support::event_loop loop_;
};

TEST_F(tls_test, what_cannot_be_used_is_an_error_that_names_it) {
  const auto one = authority_.make_client("one"), two = authority_.make_client("two");
  EXPECT_EQ(trouble({.ca_pem = authority_.ca_pem(), .client_cert_pem = one.cert_pem, .client_key_pem = one.key_pem}),
            "");
  EXPECT_THAT(trouble({.ca_pem = "no certificate"}), HasSubstr("certificate authority: "));
  EXPECT_THAT(trouble({.client_cert_pem = "x", .client_key_pem = one.key_pem}), HasSubstr("client certificate: "));
  EXPECT_THAT(trouble({.client_cert_pem = one.cert_pem, .client_key_pem = "x"}), HasSubstr("client key: "));
  EXPECT_THAT(trouble({.client_cert_pem = one.cert_pem, .client_key_pem = two.key_pem}), HasSubstr("client key: "));
}

// OpenSSL would ask for its password on the terminal.
TEST_F(tls_test, an_encrypted_key_is_refused) {
  const auto one = authority_.make_client("one");
  EXPECT_THAT(
      trouble({.client_cert_pem = one.cert_pem,
               .client_key_pem = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMII=\n-----END ENCRYPTED PRIVATE KEY-----\n"}),
      HasSubstr("client key: is encrypted"));
  EXPECT_THAT(trouble({.client_cert_pem = one.cert_pem,
                       .client_key_pem = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"}),
              HasSubstr("client key: is encrypted"));
}

TEST_F(tls_test, the_server_is_checked) {
  const support::server_tls good(authority_.make_server(), "", false), old(authority_.make_server(-1), "", false);
  EXPECT_EQ(ask(good, {.ca_pem = authority_.ca_pem()}), "hello");
  EXPECT_EQ(ask(good, {.ca_pem = foreign_.make_client("x").cert_pem + authority_.ca_pem()}), "hello")
      << "the second of two";
  EXPECT_EQ(ask(good, {.ca_pem = authority_.ca_pem(), .server_name = "kubernetes"}), "hello");
  EXPECT_THAT(ask(good, {.ca_pem = authority_.ca_pem(), .server_name = "other"}),
              MatchesRegex("https://127.0.0.1:[0-9]+: TLS: hostname mismatch: not for other"));
  EXPECT_THAT(ask(good, {.ca_pem = authority_.ca_pem(), .server_name = "10.0.0.1"}),
              HasSubstr("TLS: IP address mismatch: not for 10.0.0.1"));
  EXPECT_THAT(ask(good, {.ca_pem = foreign_.ca_pem()}), HasSubstr("TLS: certificate signature failure"))
      << "of that name";
  EXPECT_THAT(ask(good, {}), HasSubstr("TLS: unable to get local issuer certificate")) << "not one of the system's";
  EXPECT_THAT(ask(old, {.ca_pem = authority_.ca_pem()}), HasSubstr("TLS: certificate has expired"));
  EXPECT_EQ(ask(old, {.insecure = true, .server_name = "other"}), "hello");
}

// kubectl and docker accept each of them.
TEST_F(tls_test, an_intermediate_authority_and_the_servers_own_certificate_are_trusted) {
  const test_authority between(authority_, "between"), other(authority_, "between");
  const auto own = between.make_server();
  const support::server_tls server(own, "", false);
  EXPECT_EQ(ask(server, {.ca_pem = between.ca_pem()}), "hello");
  EXPECT_EQ(ask(server, {.ca_pem = own.cert_pem}), "hello");
  EXPECT_THAT(ask(server, {.ca_pem = other.ca_pem()}), HasSubstr("TLS: ")) << "of the same name";
  EXPECT_THAT(ask(server, {.ca_pem = authority_.make_server().cert_pem}), HasSubstr("TLS: "));
  EXPECT_THAT(ask(server, {.ca_pem = between.ca_pem(), .server_name = "other"}), HasSubstr("not for other"))
      << "its name counts all the same";
  EXPECT_THAT(ask(server, {.ca_pem = own.cert_pem, .server_name = "other"}), HasSubstr("not for other"));
  const auto old = between.make_server(-1);
  EXPECT_THAT(ask(support::server_tls(old, "", false), {.ca_pem = old.cert_pem}), HasSubstr("has expired"));
}

TEST_F(tls_test, the_client_shows_its_certificate) {
  const support::server_tls strict(authority_.make_server(), authority_.ca_pem(), true);
  const auto own = authority_.make_client("agent"), other = foreign_.make_client("agent");
  const auto with = [&](const support::certificate& c) {
    return tls_settings{.ca_pem = authority_.ca_pem(), .client_cert_pem = c.cert_pem, .client_key_pem = c.key_pem};
  };
  EXPECT_EQ(ask(strict, with(own)), "hello");
  EXPECT_NE(ask(strict, with(other)), "hello");
  EXPECT_NE(ask(strict, {.ca_pem = authority_.ca_pem()}), "hello");
}

TEST_F(tls_test, nothing_older_than_version12) {
  const support::server_tls old(authority_.make_server(), "", false);
  ::SSL_CTX_set_security_level(old.context(), 0);
  ::SSL_CTX_set_min_proto_version(old.context(), TLS1_VERSION);
  ::SSL_CTX_set_max_proto_version(old.context(), TLS1_1_VERSION);
  for (const auto& settings : {tls_settings{.ca_pem = authority_.ca_pem()}, tls_settings{.insecure = true}})
    EXPECT_THAT(ask(old, settings), MatchesRegex("https://.*: TLS: .*(version|protocol).*"));
  ::SSL_CTX_set_max_proto_version(old.context(), TLS1_2_VERSION);
  EXPECT_EQ(ask(old, {.ca_pem = authority_.ca_pem()}), "hello");
}

}  // namespace
}  // namespace http
