// The sink toward a peer behind a tunnel; all that it knows is that a connection is open.
#include <gmock/gmock.h>

#include "async/timeout.hpp"
#include "kernel/netlink/interface_addresses.hpp"
#include "sinks/port_mapping/port_mapping_sink.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/fake_tunnel.hpp"
#include "tests/support/temp_dir.hpp"

namespace port_mapping_peer {
namespace {

using namespace std::chrono_literals;
using ports::outcome_kind;
using ports::verb;
using testing::HasSubstr;
using testing::SizeIs;

constexpr auto no_news = 50ms;

ports::operation op(verb what, std::uint16_t port) {
  return {what, {{net::protocol::tcp, net::address::any_v4(), port}, 80, ports::source_id::docker, {}}};
}
port_mapping::message mapping(bool remove, std::uint16_t port, connect_addresses addresses) {
  return {.remove = remove,
          .bindings = {{net::protocol::tcp, 80, {net::address::any_v4(), port}}},
          .connect_addresses = std::move(addresses)};
}
std::string text(const port_mapping::message& m) { return port_mapping::encode(m); }
connect_addresses at(const char* ip) { return {{net::address::parse(ip).value(), 24}}; }

class tunnel_sink_test : public testing::Test {
 protected:
  void make_sink(std::chrono::milliseconds resend = 60s, const std::string& interface = "lo") {
    sink_ = std::make_unique<port_mapping_sink>(loop_.executor(), port_mapping_options{.name = "privileged-service",
                                                                                       .peer = tunnel_.at(),
                                                                                       .interface = interface,
                                                                                       .address_file = book_,
                                                                                       .resend = resend});
  }
  void TearDown() override {
    loop_.stop();
    sink_.reset();
  }
  base::result<ports::peer_state> list() { return loop_.run(sink_->list()); }
  std::vector<ports::outcome> apply(std::vector<ports::operation> batch) {
    return loop_.run(sink_->apply(std::move(batch)));
  }
  bool changes(async::clock::duration limit) { return loop_.run(async::within(limit, sink_->changed())).has_value(); }
  bool eventually_received(std::size_t count) {
    return support::eventually(10s, [&] { return tunnel_.received().size() >= count; });
  }
  static connect_addresses of_lo() {
    connect_addresses made;
    const auto found = netlink::addresses_of("lo").value();
    for (const auto& a : found) made.push_back({a.ip, a.prefix_length});
    return made;
  }

  support::temp_dir directory_;
  std::filesystem::path book_ = directory_ / "state" / "addresses";
  support::fake_tunnel tunnel_;
  support::event_loop loop_;
  std::unique_ptr<port_mapping_sink> sink_;
};

TEST_F(tunnel_sink_test, tells_the_addresses_of_the_interface) {
  make_sink();
  const auto state = list();
  ASSERT_TRUE(state) << state.error().message();
  EXPECT_FALSE(state->complete);
  EXPECT_THAT(state->identity, HasSubstr("127.0.0.1/8"));
  EXPECT_EQ(apply({op(verb::add, 8080)})[0].kind, outcome_kind::done);
  ASSERT_TRUE(eventually_received(1));
  EXPECT_EQ(text(tunnel_.received()[0]), text(mapping(false, 8080, of_lo())));
  EXPECT_EQ(list()->identity, state->identity);
  EXPECT_FALSE(changes(no_news));
}

TEST_F(tunnel_sink_test, a_peer_that_accepts_and_leads_nowhere_is_down) {
  tunnel_.lead_nowhere(true);
  make_sink();
  EXPECT_THAT(list().error().message(), HasSubstr("the tunnel leads nowhere"));
  tunnel_.lead_nowhere(false);
  EXPECT_TRUE(list());
}

TEST_F(tunnel_sink_test, nothing_listens_at_all) {
  sink_ = std::make_unique<port_mapping_sink>(
      loop_.executor(), port_mapping_options{.peer = net::endpoint{net::address::loopback_v4(), 1}, .interface = "lo"});
  EXPECT_EQ(list().error().code, std::errc::connection_refused);
}

TEST_F(tunnel_sink_test, an_interface_that_is_not_there_is_a_peer_that_is_down) {
  make_sink(60s, "none0");
  EXPECT_EQ(list().error().message(), "there is no interface none0");
}

TEST_F(tunnel_sink_test, notices_a_restart_behind_the_tunnel) {
  make_sink();
  const auto before = list();
  ASSERT_TRUE(before);
  ASSERT_TRUE(support::eventually(10s, [this] { return tunnel_.standing() == 1; }));
  tunnel_.break_all();
  EXPECT_TRUE(changes(10s));
  const auto after = list();
  ASSERT_TRUE(after);
  EXPECT_NE(after->identity, before->identity);
}

TEST_F(tunnel_sink_test, a_message_into_a_tunnel_that_has_broken_is_not_done) {
  make_sink();
  ASSERT_TRUE(list());
  tunnel_.lead_nowhere(true);
  EXPECT_NE(apply({op(verb::add, 8080)})[0].kind, outcome_kind::done);
  EXPECT_FALSE(list());
  tunnel_.lead_nowhere(false);
  EXPECT_TRUE(list());
  EXPECT_EQ(apply({op(verb::add, 8080)})[0].kind, outcome_kind::done);
}

// The next message has its own connection and would overtake the one under way.
TEST_F(tunnel_sink_test, a_message_is_done_when_the_far_end_has_read_it) {
  make_sink();
  ASSERT_TRUE(list());
  tunnel_.read_after(400ms);
  EXPECT_EQ(apply({op(verb::remove, 8080)})[0].kind, outcome_kind::done);
  EXPECT_THAT(tunnel_.received(), SizeIs(1));
}

TEST_F(tunnel_sink_test, behind_a_message_that_got_stuck_everything_is_sent_once_more) {
  sink_ = std::make_unique<port_mapping_sink>(
      loop_.executor(),
      port_mapping_options{.peer = tunnel_.at(), .interface = "lo", .deadline = 300ms, .stuck = 100ms});
  const auto before = list();
  ASSERT_TRUE(before);
  ASSERT_EQ(apply({op(verb::add, 8080)})[0].kind, outcome_kind::done);
  tunnel_.read_after(1h);
  const auto outcomes = apply({op(verb::remove, 8080), op(verb::add, 8081)});
  EXPECT_EQ(outcomes[0].kind, outcome_kind::unknown);
  EXPECT_EQ(outcomes[1].kind, outcome_kind::unsent);
  EXPECT_THAT(outcomes[0].reason, HasSubstr("timed out"));
  tunnel_.read_after(0ms);
  const auto after = list();
  ASSERT_TRUE(after);
  EXPECT_NE(after->identity, before->identity);
  EXPECT_FALSE(after->repeat);
  EXPECT_EQ(apply({op(verb::remove, 8080)})[0].kind, outcome_kind::done);
  EXPECT_TRUE(changes(10s));
  EXPECT_TRUE(list()->repeat);
}

TEST_F(tunnel_sink_test, a_receiver_that_never_closes_gets_each_message_once_and_soon) {
  sink_ = std::make_unique<port_mapping_sink>(
      loop_.executor(),
      port_mapping_options{.peer = tunnel_.at(), .interface = "lo", .deadline = 1h, .patience = 50ms});
  tunnel_.never_close();
  ASSERT_TRUE(list());
  for (std::uint16_t port = 1; port <= 3; ++port)
    EXPECT_EQ(apply({op(verb::add, port)})[0].kind, outcome_kind::done) << "without waiting for the deadline";
  ASSERT_TRUE(eventually_received(3));
  EXPECT_FALSE(list()->repeat);
}

TEST_F(tunnel_sink_test, everything_is_to_be_sent_again_now_and_then) {
  make_sink(200ms);
  EXPECT_FALSE(list()->repeat);
  EXPECT_TRUE(changes(10s));
  EXPECT_TRUE(list()->repeat);
  EXPECT_FALSE(list()->repeat) << "not again at once";
}

TEST_F(tunnel_sink_test, what_was_told_under_former_addresses_is_taken_back_first) {
  address_book(book_).move_to(at("172.26.1.5"));
  make_sink();
  ASSERT_TRUE(list());
  apply({op(verb::remove, 1), op(verb::add, 2)});
  apply({op(verb::add, 2)});
  ASSERT_TRUE(eventually_received(4));
  const auto all = tunnel_.received();
  ASSERT_THAT(all, SizeIs(4)) << "once for each port";
  EXPECT_THAT(all[0].bindings, SizeIs(2));
  EXPECT_TRUE(all[0].remove);
  EXPECT_EQ(all[0].connect_addresses, at("172.26.1.5"));
  EXPECT_EQ(text(all[1]), text(mapping(true, 1, of_lo())));
  EXPECT_EQ(text(all[2]), text(mapping(false, 2, of_lo())));
  EXPECT_EQ(text(all[3]), text(mapping(false, 2, of_lo())));
}

// Another VM may have that address by now, and with it the claims.
TEST_F(tunnel_sink_test, former_addresses_are_forgotten_when_all_is_taken_back) {
  address_book(book_).move_to(at("172.26.1.5"));
  make_sink(100ms);
  ASSERT_TRUE(list());
  apply({op(verb::remove, 1)});
  EXPECT_THAT(address_book(book_).former(), SizeIs(1)) << "more may be to come";
  ASSERT_TRUE(support::eventually(10s, [this] { return list().has_value() && address_book(book_).former().empty(); }));
  apply({op(verb::add, 2)});
  EXPECT_THAT(tunnel_.received(), SizeIs(3)) << "the former address gets no message about the second port";
}

}  // namespace
}  // namespace port_mapping_peer
