// The forwarder API as a client in the virtual network has it: each check refuses without the others.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "http/message.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/unit/programs/host_switch/virtual_network_fixture.hpp"

namespace host_switch {
namespace {

class vms_api_test : public virtual_network_fixture {
 protected:
  static http::request expose(std::uint16_t port, const std::string& remote) {
    return {.method = "POST",
            .target = "/services/forwarder/expose",
            .headers = {{"Host", "192.168.127.1"}},
            .body = fmt::format(R"({{"local":"127.0.0.1:{}","remote":"{}"}})", port, remote)};
  }
  const std::uint16_t port_ = support::free_port();
};

TEST_F(vms_api_test, a_vm_exposes_itself_and_the_port_listens) {
  EXPECT_EQ(forwards_->answer(expose(port_, "192.168.127.2:80"), "192.168.127.2").status, 200U);
  EXPECT_NO_THROW(support::connected_socket(SOCK_STREAM, {net::address::loopback_v4(), port_}));
}

TEST_F(vms_api_test, a_remote_without_an_address_is_the_caller) {
  EXPECT_EQ(forwards_->answer(expose(port_, ":80"), "192.168.127.2").status, 200U);
  ASSERT_EQ(forwards_->all().size(), 1U);
  EXPECT_EQ(forwards_->all()[0].remote, "192.168.127.2:80");
}

TEST_F(vms_api_test, the_callers_address_alone_refuses_another_machine) {
  const auto answer = forwards_->answer(expose(port_, "192.168.127.3:80"), "192.168.127.2");
  EXPECT_EQ(answer.status, 500U);
  EXPECT_EQ(answer.body, "invalid remote addr: remote 192.168.127.3 is not the caller's address\n");
  EXPECT_EQ(forwards_->answer(expose(port_, "192.168.127.2:80"), "").status, 403U) << "no address at all";
}

TEST_F(vms_api_test, host_alone_refuses) {
  auto request = expose(port_, "192.168.127.2:80");
  for (const auto* host : {"rebind.example", "127.0.0.1", "192.168.127.2"}) {
    request.headers["Host"] = host;
    EXPECT_EQ(forwards_->answer(request, "192.168.127.2").status, 403U) << host;
  }
  request.headers.erase("Host");
  EXPECT_EQ(forwards_->answer(request, "192.168.127.2").status, 400U);
  EXPECT_TRUE(forwards_->all().empty());
}

TEST_F(vms_api_test, origin_alone_refuses) {
  auto request = expose(port_, "192.168.127.2:80");
  request.headers["Origin"] = "http://192.168.127.1";
  EXPECT_EQ(forwards_->answer(request, "192.168.127.2").status, 403U);
  EXPECT_TRUE(forwards_->all().empty());
}

TEST_F(vms_api_test, a_vm_withdraws_what_leads_to_it_alone) {
  ASSERT_TRUE(forwards_->expose({fmt::format("127.0.0.1:{}", port_), "192.168.127.9:80", "tcp"}));
  http::request withdraw{.method = "POST",
                         .target = "/services/forwarder/unexpose",
                         .headers = {{"Host", "192.168.127.1"}},
                         .body = fmt::format(R"({{"local":"127.0.0.1:{}"}})", port_)};
  const auto refused = forwards_->answer(withdraw, "192.168.127.2");
  EXPECT_EQ(refused.status, 500U);
  EXPECT_EQ(refused.body, "the forward leads to another machine\n");
  EXPECT_EQ(forwards_->all().size(), 1U);
  EXPECT_EQ(forwards_->answer(withdraw, "192.168.127.9").status, 200U);
  EXPECT_TRUE(forwards_->all().empty());
}

TEST_F(vms_api_test, conflicts_have_the_words_of_the_original) {
  const auto holder = support::bound_socket(SOCK_STREAM, {net::address::loopback_v4(), 0});
  const auto busy = support::local_endpoint(holder.get());
  EXPECT_EQ(forwards_->answer(expose(busy.port, ":80"), "192.168.127.2").body,
            "listen tcp " + net::to_string(busy) + ": bind: address already in use\n");
  ASSERT_EQ(forwards_->answer(expose(port_, ":80"), "192.168.127.2").status, 200U);
  EXPECT_EQ(forwards_->answer(expose(port_, ":81"), "192.168.127.2").body,
            fmt::format("proxy already running for tcp on 127.0.0.1:{}\n", port_));
}

}  // namespace
}  // namespace host_switch
