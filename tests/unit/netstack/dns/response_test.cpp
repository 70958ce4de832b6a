#include "netstack/dns/response.hpp"

#include <gtest/gtest.h>

#include "tests/unit/netstack/dns/messages.hpp"

namespace netstack::dns {
namespace {

struct asked {
  bytes sent;
  query q;
  explicit asked(const question& what) : sent(what.write()), q(parse_query(sent).value()) {}
};

record a_record(std::uint8_t last) { return {.type = record_type::a, .data = {10, 0, 0, last}}; }

TEST(dns_response, an_answer_repeats_the_question_as_it_was_asked) {
  const asked a({.asked = "HoSt.Docker.Internal", .bits = 0x0110, .udp_size = 1'232});
  const auto m = write(a.q, {.authoritative = true, .answers = {a_record(1), a_record(2)}}, 512);
  EXPECT_EQ(load_16(m, 0), 0x4711);
  EXPECT_EQ(load_16(m, 2), 0x8590);  // QR, AA, RD, RA, CD
  EXPECT_TRUE(std::ranges::equal(bytes_view(m).subspan(12, a.q.question.size()), a.q.question));
  EXPECT_EQ(answers_in(m), 2);
  const auto records = records_of(m);
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[0].data, (bytes{10, 0, 0, 1}));
  EXPECT_GT(records[0].ttl, 0U);
  EXPECT_EQ(records[2].type, record_type::opt);
}

TEST(dns_response, no_opt_for_a_client_without_it) {
  const asked a(question{});
  EXPECT_EQ(additional_in(write(a.q, {}, 512)), 0);
}

TEST(dns_response, a_soa_record_is_in_the_authority_section) {
  const asked a({.asked = "x.docker.internal"});
  const auto zone = named("docker.internal");
  const auto m = write(a.q, {.code = rcode::name_error, .zone = &zone}, 512);
  EXPECT_EQ(code_of(m), rcode::name_error);
  EXPECT_EQ(authorities_in(m), 1);
  const auto records = records_of(m);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].type, record_type::soa);
  // Two names and five numbers.
  const auto first = name::parse(records[0].data).value();
  const auto second = name::parse(bytes_view(records[0].data).subspan(first.size())).value();
  EXPECT_EQ(first, zone);
  EXPECT_EQ(second, named("hostmaster.docker.internal"));
  EXPECT_EQ(records[0].data.size(), first.size() + second.size() + 20);
}

TEST(dns_response, answers_that_do_not_fit_set_tc) {
  const asked a({.udp_size = 600});
  response r;
  for (int i = 0; i < 100; ++i) r.answers.push_back(a_record(static_cast<std::uint8_t>(i)));
  for (const std::size_t most : {512U, 600U, 1'472U}) {
    const auto m = write(a.q, r, most);
    EXPECT_LE(m.size(), most);
    EXPECT_GT(m.size() + 16, most);
    EXPECT_TRUE(is_truncated(m));
    EXPECT_EQ(records_of(m).size(), answers_in(m) + 1U);
  }
  EXPECT_FALSE(is_truncated(write(a.q, r, 65'535)));
}

TEST(dns_response, a_soa_of_the_longest_name_fits_or_is_left_out) {
  std::string text;
  for (int i = 0; i < 126; ++i) text += "a.";
  text += "b";
  const asked a({.asked = text});
  const auto zone = named(text);
  const auto m = write(a.q, {.code = rcode::no_error, .zone = &zone}, 512);
  EXPECT_LE(m.size(), 512U);
  EXPECT_TRUE(records_of(m).empty());
  EXPECT_FALSE(is_truncated(m));
  EXPECT_EQ(records_of(write(a.q, {.code = rcode::no_error, .zone = &zone}, 65'535)).size(), 1U);
}

TEST(dns_response, the_upper_bits_of_a_code_are_in_the_opt_record) {
  const asked a({.udp_size = 512, .version = 1});
  const auto m = write(a.q, {.code = rcode::bad_version}, 512);
  EXPECT_EQ(load_16(m, 2) & 0xf, 0);
  EXPECT_EQ(records_of(m).at(0).ttl, 0x0100'0000U);
}

TEST(dns_response, an_error_without_question) {
  const auto m = write_error(question{.bits = 0x0900}.write(), rcode::format_error);
  EXPECT_EQ(m.size(), header_size);
  EXPECT_EQ(load_16(m, 0), 0x4711);
  EXPECT_EQ(load_16(m, 2), 0x8981);
  EXPECT_EQ(load_16(m, 4), 0);
}

TEST(dns_response, which_messages_are_answers) {
  const asked a({.asked = "a.example"});
  const auto good = upstream_answer{.asked = a.sent}.write();
  EXPECT_TRUE(is_answer(good, a.q));
  EXPECT_FALSE(is_answer(a.sent, a.q));
  EXPECT_FALSE(is_answer(bytes_view(good).first(11), a.q));
  EXPECT_FALSE(is_answer(bytes_view(good).first(20), a.q));
  EXPECT_FALSE(is_answer(upstream_answer{.asked = question{.asked = "b.example"}.write()}.write(), a.q));
  EXPECT_FALSE(is_answer(upstream_answer{.asked = question{.asked = "a.example", .type = 2}.write()}.write(), a.q));
  EXPECT_TRUE(is_answer(upstream_answer{.asked = question{.asked = "A.Example"}.write()}.write(), a.q));
  bytes header(good.begin(), good.begin() + 12);
  store_16(header, 4, 0);
  EXPECT_FALSE(is_answer(header, a.q));
  store_16(header, 2, 0x8181);  // FORMERR of a server that knows no EDNS
  EXPECT_TRUE(is_answer(header, a.q));
}

TEST(dns_response, an_upstreams_answer_keeps_its_bytes_but_for_the_id) {
  const asked a(question{});
  auto from = upstream_answer{.asked = a.sent, .code = 3, .authority = {{6, bytes(40, 1)}}, .opt = true}.write();
  store_16(from, 0, 0x9999);
  const auto m = relay(from, a.q, from.size());
  EXPECT_EQ(load_16(m, 0), 0x4711);
  EXPECT_TRUE(std::equal(m.begin() + 2, m.end(), from.begin() + 2, from.end()));
}

// for-mac#2160: 300 A records.
TEST(dns_response, a_long_answer_is_cut_after_a_record) {
  const asked a({.udp_size = 1'232});
  upstream_answer long_one{.asked = a.sent, .authority = {{2, bytes(10, 2)}}, .opt = true};
  for (int i = 0; i < 300; ++i) long_one.answers.push_back({1, {10, 0, 0, 1}});
  const auto from = long_one.write();
  for (const std::size_t most : {512U, 513U, 527U, 528U, 1'472U}) {
    const auto m = relay(from, a.q, most);
    EXPECT_LE(m.size(), most);
    EXPECT_GT(m.size() + 16, most);
    EXPECT_TRUE(is_truncated(m));
    EXPECT_EQ(authorities_in(m), 0);
    EXPECT_EQ(additional_in(m), 1);
    EXPECT_EQ(addresses_in(m).size(), answers_in(m));
    EXPECT_GT(answers_in(m), 20);
  }
  EXPECT_EQ(relay(from, a.q, 65'535).size(), from.size());
}

TEST(dns_response, a_long_malformed_answer_is_cut_as_well) {
  const asked a(question{});
  upstream_answer long_one{.asked = a.sent, .opt = true};
  for (int i = 0; i < 100; ++i) long_one.answers.push_back({1, {10, 0, 0, 1}});
  auto from = long_one.write();
  store_16(from, 6, 65'535);
  EXPECT_LE(relay(from, a.q, 512).size(), 512U);
  from.resize(600);
  EXPECT_LE(relay(from, a.q, 512).size(), 512U);
  EXPECT_TRUE(is_truncated(relay(from, a.q, 512)));
}

}  // namespace
}  // namespace netstack::dns
