// What the client shows and checks before the first request. tls_test has the certificates that are trusted.
#include "http/tls.hpp"

#include <gmock/gmock.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <csignal>
#include <thread>

#include "async/timeout.hpp"
#include "http/any_stream.hpp"
#include "http/dial.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/loopback_socket.hpp"
#include "tests/support/raw_server.hpp"
#include "tests/support/server_connection.hpp"

namespace http {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

int note_name(SSL* tls, int* /*alert*/, void* into) {
  const char* name = ::SSL_get_servername(tls, TLSEXT_NAMETYPE_host_name);
  *static_cast<std::string*>(into) = name == nullptr ? "no name" : name;
  return SSL_TLSEXT_ERR_OK;
}

async::task<base::result<>> run(any_stream& stream, std::shared_ptr<const tls_context> with, std::string host,
                                std::uint16_t port) {
  const server_address at{.host = "127.0.0.1", .port = port};
  if (auto done = co_await dial(stream.socket(), at, async::clock::now() + 5s); !done) co_return done;
  co_return co_await with->shake_hands(stream, host);
}

class openssl_context_test : public testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);  // the client may close before the server has sent its tickets
  }
  // The error of a handshake with a server that is to be `host`; empty: none.
  std::string shake(const std::string& host, tls_settings settings) {
    if (settings.ca_pem.empty()) settings.ca_pem = authority_.ca_pem();
    ::SSL_CTX_set_tlsext_servername_callback(server_.context(), note_name);
    ::SSL_CTX_set_tlsext_servername_arg(server_.context(), &name_);
    auto listener = support::listen_on_loopback();
    std::jthread answering([&] {
      pollfd waiting{.fd = listener.fd.get(), .events = POLLIN, .revents = 0};
      if (::poll(&waiting, 1, 10'000) != 1) return;
      support::server_connection one(base::unique_fd(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC)));
      one.start_tls(server_);
    });
    any_stream stream(loop_.executor());
    const auto with = tls_context::make(settings).value();
    const auto done = loop_.run(run(stream, with, host, listener.port));
    boost::system::error_code ignored;
    stream.socket().close(ignored);
    return done ? "" : done.error().message();
  }

  support::test_authority authority_;
  support::server_tls server_{authority_.make_server(), "", false};
  std::string name_ = "no handshake";
  support::event_loop loop_;
};

TEST_F(openssl_context_test, a_host_name_is_shown_and_checked) {
  EXPECT_EQ(shake("localhost", {}), "");
  EXPECT_EQ(name_, "localhost");
  EXPECT_THAT(shake("other.example", {}), HasSubstr("TLS: hostname mismatch: not for other.example"));
  EXPECT_EQ(name_, "other.example");
}

// RFC 6066: SNI carries no literal addresses. Some servers end the handshake over one.
TEST_F(openssl_context_test, an_address_is_checked_and_not_shown) {
  EXPECT_EQ(shake("127.0.0.1", {}), "");
  EXPECT_EQ(name_, "no name");
  EXPECT_EQ(shake("::1", {}), "");
  EXPECT_EQ(name_, "no name");
  EXPECT_THAT(shake("10.0.0.1", {}), HasSubstr("TLS: IP address mismatch: not for 10.0.0.1"));
}

TEST_F(openssl_context_test, the_name_of_the_settings_replaces_the_host) {
  EXPECT_EQ(shake("10.0.0.1", {.server_name = "kubernetes"}), "");
  EXPECT_EQ(name_, "kubernetes");
  EXPECT_THAT(shake("localhost", {.server_name = "other"}), HasSubstr("not for other"));
}

TEST_F(openssl_context_test, part_of_a_name_is_another_name) {
  for (const auto* name : {"local", "localhos", "localhost.example", "x.localhost", "127.0.0.10"})
    EXPECT_THAT(shake(name, {}), HasSubstr(std::string("not for ") + name));
}

TEST_F(openssl_context_test, an_insecure_client_shows_the_name_and_checks_nothing) {
  EXPECT_EQ(shake("other.example", {.insecure = true}), "");
  EXPECT_EQ(name_, "other.example");
}

TEST_F(openssl_context_test, a_server_without_tls_is_an_error_of_tls) {
  support::raw_server plain({.answer = "HTTP/1.1 400 Bad Request\r\n\r\n", .reads = false});
  any_stream stream(loop_.executor());
  const auto with = tls_context::make({.ca_pem = authority_.ca_pem()}).value();
  const auto done = loop_.run(run(stream, with, "localhost", plain.port()));
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message(), testing::StartsWith("TLS"));
}

// It has no deadline of its own: the caller's ends it.
TEST_F(openssl_context_test, a_server_that_is_silent_meets_the_callers_deadline) {
  support::raw_server silent({.answer = "", .hangs = true, .reads = false});
  any_stream stream(loop_.executor());
  const auto with = tls_context::make({.ca_pem = authority_.ca_pem()}).value();
  const auto done = loop_.run(async::within(50ms, run(stream, with, "localhost", silent.port())));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, std::errc::timed_out);
}

}  // namespace
}  // namespace http
