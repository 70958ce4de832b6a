#include "netstack/dns/server.hpp"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/netstack/dns/messages.hpp"

namespace netstack::dns {
namespace {

using std::chrono::milliseconds;

constexpr time_point start{std::chrono::seconds(1'000)};
constexpr ipv4::address host{0xc0a87ffe};
constexpr client udp_client{.address = vm, .port = 40'000};
constexpr client tcp_client{.address = vm, .port = 40'001, .connection = 5, .transport = transport::tcp};

class dns_server : public testing::Test {
 protected:
  static server make(bool aaaa = false) {
    zones known(gateway, host);
    EXPECT_TRUE(known.add("*.dev.example=10.0.0.7"));
    return {settings{.host = host,
                     .aaaa = aaaa,
                     .limits = {.most = 20, .most_of_client = 10, .most_of_connection = 4, .wait = milliseconds(500)},
                     .random_id = [] { return std::uint16_t{0x1000}; }},
            std::move(known)};
  }
  // The server's own answer; empty if it asks an upstream or drops the question.
  bytes answer_to(const question& q, const client& from = udp_client) {
    const auto out = server_.on_question(from, q.write(), start);
    const auto* a = std::get_if<answer>(&out);
    if (a == nullptr) return {};
    EXPECT_EQ(a->to, from);
    EXPECT_EQ(load_16(a->bytes, 0), q.id);
    return a->bytes;
  }
  std::optional<ask_upstream> ask(const question& q, const client& from = udp_client, time_point now = start) {
    auto out = server_.on_question(from, q.write(), now);
    auto* asked = std::get_if<ask_upstream>(&out);
    return asked == nullptr ? std::nullopt : std::optional(std::move(*asked));
  }

  server server_ = make();
};

TEST_F(dns_server, gateway_and_host_in_both_zones_in_any_case) {
  for (const auto* asked : {"gateway.rancher-desktop.internal", "GATEWAY.Docker.Internal"})
    EXPECT_EQ(addresses_in(answer_to({.asked = asked})), std::vector{gateway}) << asked;
  for (const auto* asked : {"host.docker.internal", "hOsT.RANCHER-desktop.internal"})
    EXPECT_EQ(addresses_in(answer_to({.asked = asked})), std::vector{host}) << asked;
  EXPECT_EQ(addresses_in(answer_to({.asked = "any.dev.example"})), std::vector{ipv4::address{0x0a000007}});
  EXPECT_EQ(server_.counted().local, 5U);
  EXPECT_EQ(server_.counted().upstream, 0U);
}

// gvisor-tap-vsock#729, lxd#8389.
TEST_F(dns_server, another_type_of_a_zones_name_gets_the_soa_without_an_error) {
  for (const auto type : std::vector<std::uint16_t>{2, 5, 6, 12, 15, 16, 28, 33, 35, 64, 65, 257, 65'280}) {
    const auto m = answer_to({.asked = "host.docker.internal", .type = type});
    ASSERT_FALSE(m.empty()) << type;
    EXPECT_EQ(code_of(m), rcode::no_error);
    EXPECT_EQ(answers_in(m), 0);
    EXPECT_EQ(authorities_in(m), 1);
    EXPECT_EQ(records_of(m).at(0).type, record_type::soa);
  }
  EXPECT_EQ(server_.counted().upstream, 0U);
}

TEST_F(dns_server, an_unknown_name_of_a_zone_does_not_exist_and_goes_nowhere) {
  for (const auto type : std::vector<std::uint16_t>{1, 28, 16, 12}) {
    const auto m = answer_to({.asked = "unknown.docker.internal", .type = type});
    ASSERT_FALSE(m.empty()) << type;
    EXPECT_EQ(code_of(m), rcode::name_error);
    EXPECT_EQ(records_of(m).at(0).type, record_type::soa);
  }
  EXPECT_EQ(server_.counted().upstream, 0U);
}

TEST_F(dns_server, a_zone_has_its_soa) {
  const auto m = answer_to({.asked = "docker.internal", .type = record_type::soa});
  EXPECT_EQ(answers_in(m), 1);
  EXPECT_EQ(records_of(m).at(0).type, record_type::soa);
  EXPECT_EQ(answers_in(answer_to({.asked = "host.docker.internal", .type = record_type::any})), 1);
}

// podman#29772: programs that wait for both answers connect at once.
TEST_F(dns_server, aaaa_of_an_outside_name_has_no_records_by_default) {
  const auto m = answer_to({.asked = "example.org", .type = record_type::aaaa});
  ASSERT_FALSE(m.empty());
  EXPECT_EQ(code_of(m), rcode::no_error);
  EXPECT_TRUE(records_of(m).empty());
  server_ = make(true);
  EXPECT_TRUE(ask({.asked = "example.org", .type = record_type::aaaa}));
  EXPECT_EQ(answers_in(answer_to({.asked = "host.docker.internal", .type = record_type::aaaa})), 0);
}

// gvisor-tap-vsock#612, #562: SOA, PTR, SRV, CAA, DS, HTTPS, an unknown type, TXT.
TEST_F(dns_server, every_type_gets_the_upstreams_answer_unchanged) {
  for (const auto type : std::vector<std::uint16_t>{1, 2, 5, 6, 12, 15, 16, 33, 43, 65, 257, 65'280})
    for (const auto code : std::vector<std::uint16_t>{0, 2, 3, 5}) {
      const auto asked = ask({.asked = "Example.ORG", .type = type, .id = 0x2222});
      ASSERT_TRUE(asked);
      EXPECT_EQ(load_16(asked->question, 0), 0x1000);
      const auto sent = question{.asked = "Example.ORG", .type = type, .id = 0x2222}.write();
      EXPECT_TRUE(std::equal(sent.begin() + 2, sent.end(), asked->question.begin() + 2, asked->question.end()));
      upstream_answer from{.asked = asked->question, .code = code, .authority = {{6, bytes(30, 3)}}};
      if (code == 0) from.answers = {{type, bytes(17, 1)}, {type, text("\4four\7strings\0")}, {46, {}}};
      const auto upstream = from.write();
      const auto back = server_.on_upstream(asked->token, upstream);
      ASSERT_TRUE(back);
      EXPECT_EQ(back->to, udp_client);
      EXPECT_EQ(load_16(back->bytes, 0), 0x2222);
      EXPECT_TRUE(std::equal(back->bytes.begin() + 2, back->bytes.end(), upstream.begin() + 2, upstream.end()));
      for (const auto& r : records_of(back->bytes)) EXPECT_EQ(r.ttl, 299U);
    }
}

// colima#1260.
TEST_F(dns_server, a_silent_or_failing_upstream_is_servfail) {
  const auto failed = ask({.id = 1});
  const auto a = server_.on_upstream(failed->token, std::nullopt);
  ASSERT_TRUE(a);
  EXPECT_EQ(code_of(a->bytes), rcode::server_failure);
  EXPECT_EQ(load_16(a->bytes, 0), 1);

  const auto silent = ask({.id = 2});
  EXPECT_EQ(server_.wake_at(), start + milliseconds(500));
  EXPECT_FALSE(server_.next_expired(start + milliseconds(499)));
  const auto b = server_.next_expired(start + milliseconds(500));
  ASSERT_TRUE(b);
  EXPECT_EQ(code_of(b->bytes), rcode::server_failure);
  EXPECT_EQ(load_16(b->bytes, 0), 2);
  EXPECT_EQ(server_.wake_at(), time_point::max());
  // The answer that comes too late goes nowhere.
  EXPECT_FALSE(server_.on_upstream(silent->token, upstream_answer{.asked = silent->question}.write()));
  EXPECT_EQ(server_.counted().failed, 1U);
  EXPECT_EQ(server_.counted().expired, 1U);
}

TEST_F(dns_server, an_upstreams_nonsense_is_servfail) {
  const auto other = question{.asked = "other.example"}.write();
  for (const auto& nonsense : {bytes{}, bytes(11, 0xff), bytes(600, 0xff), upstream_answer{.asked = other}.write(),
                               other, bytes(70'000, 0x80)}) {
    const auto asked = ask(question{});
    ASSERT_TRUE(asked);
    EXPECT_EQ(code_of(server_.on_upstream(asked->token, nonsense)->bytes), rcode::server_failure);
  }
}

// for-mac#2160, #6008.
TEST_F(dns_server, three_hundred_addresses_over_udp_edns_and_tcp) {
  const auto answered = [&](const question& q, const client& from) {
    const auto asked = ask(q, from).value();
    upstream_answer a{.asked = asked.question, .opt = q.udp_size.has_value()};
    for (int i = 0; i < 300; ++i) a.answers.push_back({1, {10, 0, 0, 1}});
    return server_.on_upstream(asked.token, a.write())->bytes;
  };
  const auto plain = answered(question{}, udp_client);
  EXPECT_LE(plain.size(), 512U);
  EXPECT_TRUE(is_truncated(plain));
  EXPECT_FALSE(addresses_in(plain).empty());
  const auto edns = answered({.udp_size = 4'096}, udp_client);
  EXPECT_LE(edns.size(), 1'472U);
  EXPECT_GT(edns.size(), 1'400U);
  EXPECT_TRUE(is_truncated(edns));
  const auto whole = answered(question{}, tcp_client);
  EXPECT_FALSE(is_truncated(whole));
  EXPECT_EQ(addresses_in(whole).size(), 300U);
  EXPECT_EQ(server_.counted().truncated, 2U);
}

TEST_F(dns_server, the_hosts_file_comes_before_the_upstream) {
  server_.set_hosts(
      hosts_file::parse("10.0.0.9 printer.lan printer\n127.0.1.1 workstation\nfd00::9 printer.lan\n"
                        "10.0.0.8 host.docker.internal\n"));
  EXPECT_EQ(addresses_in(answer_to({.asked = "Printer.LAN"})), std::vector{ipv4::address{0x0a000009}});
  EXPECT_EQ(addresses_in(answer_to({.asked = "workstation"})), std::vector{host});
  EXPECT_EQ(addresses_in(answer_to({.asked = "host.docker.internal"})), std::vector{host});  // zones come first
  const auto reverse = answer_to({.asked = "9.0.0.10.in-addr.arpa", .type = record_type::ptr});
  EXPECT_EQ(name::parse(records_of(reverse).at(0).data), named("printer.lan"));
  EXPECT_TRUE(ask({.asked = "7.0.0.10.in-addr.arpa", .type = record_type::ptr}));
  EXPECT_TRUE(ask({.asked = "printer.lan", .type = 15}));
  EXPECT_EQ(answers_in(answer_to({.asked = "printer.lan", .type = record_type::aaaa})), 0);
  server_.set_hosts({});
  EXPECT_TRUE(ask({.asked = "printer.lan"}));
}

TEST_F(dns_server, the_hosts_file_has_aaaa_where_it_is_allowed) {
  server_ = make(true);
  server_.set_hosts(hosts_file::parse("10.0.0.9 both four\nfd00::9 both\n"));
  EXPECT_EQ(records_of(answer_to({.asked = "both", .type = record_type::aaaa})).at(0).data.size(), 16U);
  EXPECT_TRUE(ask({.asked = "four", .type = record_type::aaaa}));
}

// Either would be the VM itself.
TEST_F(dns_server, a_loopback_address_by_which_the_vm_does_not_reach_the_host_is_left_out) {
  server_ = {settings{.host = {}, .aaaa = true, .random_id = [] { return std::uint16_t{0x1000}; }},
             zones(gateway, std::nullopt)};
  server_.set_hosts(hosts_file::parse("127.0.1.1 workstation\n10.0.0.9 workstation\n::1 workstation\n"));
  EXPECT_EQ(addresses_in(answer_to({.asked = "workstation"})), std::vector{ipv4::address{0x0a000009}});
  EXPECT_TRUE(ask({.asked = "workstation", .type = record_type::aaaa}));
}

// systemd-resolved, for one, caches NXDOMAIN for every type of the name.
TEST_F(dns_server, an_upstream_that_does_not_know_a_name_of_the_hosts_file_does_not_deny_it) {
  server_.set_hosts(hosts_file::parse("10.0.0.9 printer.lan\n"));
  const auto denied = [&](std::string_view name) {
    const auto asked = ask({.asked = name, .type = 65, .udp_size = 1'232}).value();
    return server_.on_upstream(asked.token, upstream_answer{.asked = asked.question, .code = 3}.write())->bytes;
  };
  const auto known = denied("Printer.LAN");
  EXPECT_EQ(code_of(known), rcode::no_error);
  EXPECT_EQ(load_16(known, 0), question{}.id);
  EXPECT_EQ(answers_in(known), 0);
  EXPECT_EQ(additional_in(known), 1) << "EDNS";
  EXPECT_EQ(code_of(denied("scanner.lan")), rcode::name_error);
}

TEST_F(dns_server, localhost_is_the_machine_that_asks) {
  server_.set_hosts(hosts_file::parse("127.0.0.1 localhost\n"));
  EXPECT_EQ(addresses_in(answer_to({.asked = "localhost"})), std::vector{ipv4::address{0x7f000001}});
  EXPECT_EQ(addresses_in(answer_to({.asked = "db.localhost"})), std::vector{ipv4::address{0x7f000001}});
  EXPECT_EQ(answers_in(answer_to({.asked = "localhost", .type = 15})), 0);
}

TEST_F(dns_server, broken_questions_get_their_code) {
  auto two = question{}.write();
  store_16(two, 4, 2);
  const auto out = server_.on_question(udp_client, two, start);
  EXPECT_EQ(code_of(std::get<answer>(out).bytes), rcode::format_error);
  EXPECT_EQ(code_of(answer_to({.bits = 0x2000})), rcode::not_implemented);
  EXPECT_EQ(code_of(answer_to({.asked_class = 3})), rcode::refused);
  EXPECT_EQ(code_of(answer_to({.type = record_type::axfr})), rcode::refused);
  EXPECT_EQ(code_of(answer_to({.type = record_type::ixfr})), rcode::refused);
  EXPECT_EQ(records_of(answer_to({.udp_size = 512, .version = 1})).at(0).ttl >> 24U, 1U);
  EXPECT_EQ(server_.counted().malformed, 6U);
  EXPECT_TRUE(std::holds_alternative<dropped>(server_.on_question(udp_client, bytes(11, 0), start)));
  EXPECT_TRUE(
      std::holds_alternative<dropped>(server_.on_question(udp_client, question{.bits = 0x8000}.write(), start)));
  EXPECT_EQ(server_.counted().dropped, 2U);
}

TEST_F(dns_server, a_flood_is_bounded_and_refused_at_once) {
  std::set<std::uint16_t> ids;
  for (std::uint16_t i = 0; i < 10'000; ++i) {
    const auto out = server_.on_question({.address = vm, .port = i}, question{.id = i}.write(), start);
    if (const auto* asked = std::get_if<ask_upstream>(&out))
      ids.insert(load_16(asked->question, 0));
    else
      EXPECT_EQ(code_of(std::get<answer>(out).bytes), rcode::server_failure);
  }
  EXPECT_EQ(ids.size(), 10U);
  EXPECT_EQ(server_.in_progress(), 10U);
  EXPECT_EQ(server_.counted().refused_at_limit, 9'990U);
  // Another client and the zones go on.
  EXPECT_TRUE(ask(question{}, {.address = {0xc0a87f03}, .port = 1}));
  EXPECT_EQ(addresses_in(answer_to({.asked = "host.docker.internal"})), std::vector{host});
}

TEST_F(dns_server, several_questions_on_one_connection) {
  std::vector<ask_upstream> asked;
  for (std::uint16_t i = 0; i < 4; ++i) asked.push_back(ask({.id = i}, tcp_client).value());
  EXPECT_EQ(code_of(answer_to({.id = 9}, tcp_client)), rcode::server_failure);
  // Answers in another order than the questions.
  for (const auto i : std::vector<std::uint16_t>{2, 0, 3}) {
    const auto back = server_.on_upstream(asked[i].token, upstream_answer{.asked = asked[i].question}.write());
    EXPECT_EQ(back->to, tcp_client);
    EXPECT_EQ(load_16(back->bytes, 0), i);
  }
  server_.forget(tcp_client.connection);
  EXPECT_FALSE(server_.on_upstream(asked[1].token, upstream_answer{.asked = asked[1].question}.write()));
  EXPECT_EQ(server_.in_progress(), 0U);
}

TEST_F(dns_server, a_repeated_question_is_asked_once) {
  const auto first = ask({.id = 7});
  EXPECT_TRUE(first);
  EXPECT_TRUE(std::holds_alternative<dropped>(server_.on_question(udp_client, question{.id = 7}.write(), start)));
  EXPECT_EQ(server_.counted().repeated, 1U);
  EXPECT_TRUE(server_.on_upstream(first->token, upstream_answer{.asked = first->question}.write()));
  EXPECT_TRUE(ask({.id = 7}));
}

}  // namespace
}  // namespace netstack::dns
