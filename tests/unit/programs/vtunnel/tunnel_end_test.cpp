// Both ends in one process, with UNIX sockets in place of virtual ones. program_test has the whole program.
#include "programs/vtunnel/tunnel_end.hpp"

#include <gmock/gmock.h>

#include <filesystem>

#include "programs/vtunnel/handshake.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/support/temp_dir.hpp"

namespace vtunnel {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr auto loopback = net::address::loopback_v4();

class tunnel_end_test : public testing::Test {
 protected:
  [[nodiscard]] tunnel make(const std::string& name) const {
    return {.name = name,
            .handshake = (directory_ / (name + ".handshake")).string(),
            .data = data_of(name),
            .peer = {loopback, support::free_port()},
            .upstream = support::local_endpoint(upstream_.get())};
  }
  [[nodiscard]] std::string data_of(const std::string& name) const { return (directory_ / (name + ".data")).string(); }
  [[nodiscard]] bool host_listens(const std::string& name) const { return std::filesystem::exists(data_of(name)); }
  // Until the host's end listens; its waits between two tries pass at once.
  bool host_comes_up(const std::string& name) {
    return loop_.run_until([&] {
      async::clock::advance(100ms);
      return host_listens(name);
    });
  }
  void carries_a_byte(const tunnel& through) const {
    const auto client = support::connected_socket(SOCK_STREAM, through.peer);
    support::send_all(client.get(), "x");
    EXPECT_EQ(support::read_exactly(support::accept_one(upstream_.get()).get(), 1), "x");
  }

  support::temp_dir directory_;
  base::unique_fd upstream_ = support::bound_socket(SOCK_STREAM, {loopback, 0});
  support::event_loop loop_;
};

TEST_F(tunnel_end_test, the_host_listens_once_the_peer_has_answered_and_each_tunnel_by_itself) {
  const std::vector<tunnel> two{make("a"), make("b")};
  tunnel_end peer({two[0]}, 1, false), host(two, 1, false);
  loop_.spawn(host.run_host());
  loop_.settle();
  EXPECT_FALSE(host_listens("a")) << "no peer has answered";
  const auto opened = peer.open_peer();
  ASSERT_TRUE(opened) << opened.error().message();
  loop_.spawn(peer.run_peer());
  EXPECT_TRUE(host_comes_up("a"));
  EXPECT_FALSE(host_listens("b")) << "its peer has not answered";
  carries_a_byte(two[0]);
  EXPECT_EQ(peer.count().accepted, 1U);
  EXPECT_EQ(host.count().accepted, 1U);
  loop_.stop();
}

TEST_F(tunnel_end_test, another_program_at_the_handshake_is_no_peer) {
  const auto t = make("a");
  const auto at = net::to_sockaddr(at_cid(t.handshake, 1));
  const base::unique_fd impostor(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(impostor.get(), at.get(), at.size), 0);
  ASSERT_EQ(::listen(impostor.get(), 8), 0);
  tunnel_end host({t}, 1, false);
  testing::internal::CaptureStderr();
  loop_.spawn(host.run_host());
  for (const auto& answer : {std::string("SSH-2.0-OpenSSH\r\n"), std::string(seed_phrase.substr(0, 20)),
                             std::string(seed_phrase.substr(1)) + "!"}) {
    base::unique_fd client;
    EXPECT_TRUE(loop_.run_until([&] {
      if (!client) client.reset(::accept4(impostor.get(), nullptr, nullptr, SOCK_CLOEXEC));
      return static_cast<bool>(client);
    })) << "it gave up before: "
        << answer;
    ::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    client.reset();
    loop_.settle();
    EXPECT_FALSE(host_listens("a")) << answer;
    loop_.pass_time(900ms);
    loop_.settle();
    EXPECT_LT(::accept4(impostor.get(), nullptr, nullptr, SOCK_CLOEXEC), 0) << "it tries once a second";
    loop_.pass_time(100ms);
  }
  loop_.stop();
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("no handshake tunnel=a"));
}

TEST_F(tunnel_end_test, a_busy_address_on_the_host_is_tried_again) {
  const auto t = make("a");
  auto holder =
      std::make_optional(os::claimed_unix_path::claim(t.data.index() == 1 ? std::get<1>(t.data) : "").value());
  tunnel_end peer({t}, 1, false), host({t}, 1, false);
  ASSERT_TRUE(peer.open_peer());
  testing::internal::CaptureStderr();
  loop_.spawn(peer.run_peer());
  loop_.spawn(host.run_host());
  std::string log;
  EXPECT_TRUE(loop_.run_until([&] {
    log += testing::internal::GetCapturedStderr();
    testing::internal::CaptureStderr();
    return log.contains("cannot listen tunnel=a");
  })) << log;
  testing::internal::GetCapturedStderr();
  holder.reset();
  EXPECT_FALSE(host_listens("a"));
  EXPECT_TRUE(host_comes_up("a"));
  carries_a_byte(t);
  loop_.stop();
}

TEST_F(tunnel_end_test, an_address_that_the_peer_cannot_have_is_an_error_that_names_it) {
  auto t = make("a");
  const auto holder = support::bound_socket(SOCK_STREAM, t.peer);
  const auto busy = tunnel_end({t}, 1, false).open_peer();
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().code, std::errc::address_in_use);
  EXPECT_THAT(busy.error().message(), HasSubstr("listen on " + net::to_string(t.peer)));
  EXPECT_FALSE(std::filesystem::exists(std::get<std::string>(t.handshake))) << "a socket of a peer that is gone";
  t.handshake = (directory_ / "missing" / "handshake").string();
  const auto nowhere = tunnel_end({t}, 1, false).open_peer();
  ASSERT_FALSE(nowhere);
  EXPECT_THAT(nowhere.error().message(), HasSubstr(std::get<std::string>(t.handshake)));
}

TEST_F(tunnel_end_test, its_end_frees_its_addresses) {
  const auto t = make("a");
  for (int i = 0; i < 2; ++i) {
    tunnel_end peer({t}, 1, false);
    const auto opened = peer.open_peer();
    ASSERT_TRUE(opened) << opened.error().message();
    EXPECT_TRUE(std::filesystem::exists(std::get<std::string>(t.handshake)));
  }
  EXPECT_FALSE(std::filesystem::exists(std::get<std::string>(t.handshake)));
}

}  // namespace
}  // namespace vtunnel
