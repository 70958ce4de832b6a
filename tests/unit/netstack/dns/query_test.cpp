#include "netstack/dns/query.hpp"

#include <gtest/gtest.h>

#include "tests/unit/netstack/dns/messages.hpp"

namespace netstack::dns {
namespace {

std::optional<rcode> error_of(bytes_view message) {
  const auto q = parse_query(message);
  return q ? rcode::no_error : q.error();
}

TEST(dns_query, a_question_is_read) {
  const auto sent = question{.asked = "WWW.Example.org", .type = 28, .udp_size = 1'232}.write();
  const auto q = parse_query(sent);
  ASSERT_TRUE(q);
  EXPECT_EQ(q->id, 0x4711);
  EXPECT_EQ(q->asked, named("www.example.org"));
  EXPECT_EQ(q->type, record_type::aaaa);
  EXPECT_EQ(q->asked_class, class_internet);
  EXPECT_TRUE(std::ranges::equal(q->question.first(17), name_bytes("WWW.Example.org")));
  ASSERT_TRUE(q->edns);
  EXPECT_EQ(q->edns->udp_size, 1'232);
  EXPECT_EQ(q->edns->version, 0);
  EXPECT_FALSE(q->edns->dnssec_ok);
}

TEST(dns_query, each_shorter_message_is_refused) {
  const auto sent = question{.udp_size = 4'096}.write();
  for (std::size_t size = 0; size < sent.size(); ++size) {
    const auto code = error_of(bytes_view(sent).first(size));
    EXPECT_EQ(code, size < header_size ? std::nullopt : std::optional(rcode::format_error)) << size;
  }
}

TEST(dns_query, answers_are_not_answered) {
  auto sent = question{}.write();
  sent[2] |= 0x80U;
  EXPECT_EQ(error_of(sent), std::nullopt);
}

TEST(dns_query, other_operations_are_not_implemented) {
  EXPECT_EQ(error_of(question{.bits = 0x2800}.write()), rcode::not_implemented);
}

TEST(dns_query, exactly_one_question) {
  for (const auto number : std::vector<std::uint16_t>{0, 2, 255, 65'535}) {
    auto sent = question{}.write();
    store_16(sent, 4, number);
    put_bytes(sent, name_bytes("other.example"));
    put_32(sent, 0x0001'0001);
    EXPECT_EQ(error_of(sent), rcode::format_error) << number;
  }
}

TEST(dns_query, wrong_counts_are_refused) {
  for (const std::size_t at : {6U, 8U, 10U})
    for (const auto number : std::vector<std::uint16_t>{1, 65'535}) {
      auto sent = question{}.write();
      store_16(sent, at, number);
      EXPECT_EQ(error_of(sent), rcode::format_error) << at << " " << number;
    }
}

TEST(dns_query, an_opt_record_occurs_once_and_at_the_root) {
  auto twice = question{.udp_size = 512}.write();
  const bytes opt(twice.end() - 11, twice.end());
  put_bytes(twice, opt);
  store_16(twice, 10, 2);
  EXPECT_EQ(error_of(twice), rcode::format_error);

  auto with_name = question{.udp_size = 512}.write();
  with_name.insert(with_name.end() - 11, {1, 'a'});
  EXPECT_EQ(error_of(with_name), rcode::format_error);
}

TEST(dns_query, other_records_are_skipped) {
  auto sent = question{.udp_size = 512}.write();
  put_bytes(sent, bytes{0xc0, 0x0c, 0, 250, 0, 1, 0, 0, 0, 0, 0, 2, 9, 9});  // compressed name, two bytes
  store_16(sent, 10, 2);
  EXPECT_TRUE(parse_query(sent));
}

TEST(dns_query, the_limit_is_what_the_client_takes_within_a_frame) {
  const auto limit = [](std::optional<std::uint16_t> size) {
    const auto sent = question{.udp_size = size}.write();
    return udp_limit(*parse_query(sent), 1'472);
  };
  EXPECT_EQ(limit(std::nullopt), 512U);
  EXPECT_EQ(limit(0), 512U);
  EXPECT_EQ(limit(511), 512U);
  EXPECT_EQ(limit(1'232), 1'232U);
  EXPECT_EQ(limit(4'096), 1'472U);
}

}  // namespace
}  // namespace netstack::dns
