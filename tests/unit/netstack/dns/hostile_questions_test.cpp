// Clients of the DNS server that mean harm: floods over time, and questions whose bytes lie. Every message costs one
// answer at most, what is in progress is bounded and ends, and others are answered meanwhile.
#include <gtest/gtest.h>

#include <set>

#include "netstack/dns/server.hpp"
#include "netstack/dns/tcp_questions.hpp"
#include "tests/unit/netstack/dns/messages.hpp"

namespace netstack::dns {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{1h};
constexpr ipv4::address host{0xc0a87ffe};
constexpr ipv4::address other_vm{0xc0a87f03};
constexpr client other_client{.address = other_vm, .port = 5};

class hostile_questions : public testing::Test {
 protected:
  outcome put(const bytes& message, const client& from = {.address = vm, .port = 1}, time_point now = start) {
    return server_.on_question(from, message, now);
  }
  bool is_answered(std::string_view asked) {
    const auto out = put(question{.asked = asked}.write(), other_client);
    const auto* a = std::get_if<answer>(&out);
    return a != nullptr && a->to == other_client && !addresses_in(a->bytes).empty();
  }

  std::uint16_t random_ = 0;
  server server_{
      {.host = host, .random_id = [this] { return random_ = static_cast<std::uint16_t>(random_ * 75 + 74); }},
      zones(gateway, host)};
};

// A minute of 1,000 questions a second to an upstream that is silent.
TEST_F(hostile_questions, a_flood_over_a_minute_stays_within_its_bounds) {
  std::size_t asked = 0, refused = 0, expired = 0;
  for (int i = 0; i < 60'000; ++i) {
    const auto now = start + 1ms * i;
    while (const auto late = server_.next_expired(now)) {
      ASSERT_EQ(code_of(late->bytes), rcode::server_failure);
      ++expired;
    }
    const auto out = put(question{.id = static_cast<std::uint16_t>(i)}.write(),
                         {.address = vm, .port = static_cast<std::uint16_t>(i % 50'000)}, now);
    if (std::holds_alternative<ask_upstream>(out)) ++asked;
    if (const auto* a = std::get_if<answer>(&out)) {
      ASSERT_EQ(code_of(a->bytes), rcode::server_failure);
      ASSERT_LE(a->bytes.size(), question{}.write().size()) << "an answer is no larger than what it costs to ask";
      ++refused;
    }
    ASSERT_LE(server_.in_progress(), pending_limits{}.most_of_client);
  }
  EXPECT_EQ(asked + refused, 60'000U);
  EXPECT_EQ(asked, expired + server_.in_progress());
  EXPECT_LE(asked, 7 * pending_limits{}.most_of_client) << "one filling for each ten seconds";
  EXPECT_TRUE(is_answered("host.docker.internal"));
  const auto out = put(question{.asked = "example.org"}.write(), other_client, start + 60s);
  EXPECT_TRUE(std::holds_alternative<ask_upstream>(out));
  while (server_.next_expired(start + 71s)) {
  }
  EXPECT_EQ(server_.in_progress(), 0U);
  EXPECT_EQ(server_.wake_at(), time_point::max());
}

TEST_F(hostile_questions, many_clients_together_stay_within_the_bound_of_all) {
  std::set<std::uint16_t> ids;
  for (std::uint32_t i = 0; i < 5'000; ++i) {
    const auto out = put(question{.id = static_cast<std::uint16_t>(i)}.write(), {.address = {0x0a000000 + i % 100}});
    if (const auto* asked = std::get_if<ask_upstream>(&out)) ids.insert(load_16(asked->question, 0));
  }
  EXPECT_EQ(server_.in_progress(), pending_limits{}.most);
  EXPECT_EQ(ids.size(), pending_limits{}.most) << "an id for each question in progress";
  EXPECT_TRUE(is_answered("gateway.docker.internal"));
}

// Answers that nothing asked for: a forged token, one of an earlier question, and a second answer.
TEST_F(hostile_questions, answers_that_were_not_asked_for_reach_no_client) {
  const auto first = std::get<ask_upstream>(put(question{.id = 1}.write()));
  ASSERT_TRUE(server_.on_upstream(first.token, upstream_answer{.asked = first.question}.write()));
  const auto second = std::get<ask_upstream>(put(question{.id = 2}.write()));
  for (std::uint32_t slot = 0; slot < 600; ++slot)
    for (const std::uint32_t generation : {0U, 2U, 99U, 0xffff'ffffU})
      EXPECT_FALSE(server_.on_upstream({.slot = slot, .generation = generation}, bytes(40, 0x80)));
  EXPECT_FALSE(server_.on_upstream(first.token, upstream_answer{.asked = first.question}.write()));
  EXPECT_TRUE(server_.on_upstream(second.token, upstream_answer{.asked = second.question}.write()));
}

TEST_F(hostile_questions, any_byte_of_a_question_may_be_wrong) {
  for (const auto& right : {question{.asked = "host.docker.internal"}.write(),
                            question{.asked = "a.example.org", .udp_size = 1'232}.write()})
    for (std::size_t at = 0; at < right.size(); ++at)
      for (unsigned value = 0; value < 256; ++value) {
        auto wrong = right;
        wrong[at] = static_cast<std::uint8_t>(value);
        const auto out = put(wrong);
        if (const auto* a = std::get_if<answer>(&out)) {
          ASSERT_EQ(load_16(a->bytes, 0), load_16(wrong, 0));
          ASSERT_NE(load_16(a->bytes, 2) & header_bit::response, 0);
          ASSERT_LE(a->bytes.size(), least_udp);
          if (a->bytes.size() > header_size) ASSERT_NO_THROW(records_of(a->bytes)) << at << ' ' << value;
        }
        if (const auto* asked = std::get_if<ask_upstream>(&out)) {
          ASSERT_EQ(asked->question.size(), wrong.size());
          EXPECT_TRUE(server_.on_upstream(asked->token, std::nullopt));
        }
      }
  EXPECT_EQ(server_.in_progress(), 0U);
}

TEST_F(hostile_questions, a_question_that_is_cut_anywhere_goes_nowhere) {
  const auto whole = question{.asked = "deep.er.example.org", .udp_size = 1'232}.write();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto out = put({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
    EXPECT_FALSE(std::holds_alternative<ask_upstream>(out)) << size;
    EXPECT_EQ(std::holds_alternative<dropped>(out), size < header_size) << size;
  }
  EXPECT_EQ(server_.in_progress(), 0U);
}

// Labels that are too long, lead in a circle, or end the message; names of the most labels.
TEST_F(hostile_questions, labels_that_lie_are_a_format_error) {
  const auto with_name = [](bytes name) {
    auto m = question{.asked = ""}.write();
    m.erase(m.begin() + header_size);
    m.insert(m.begin() + header_size, name.begin(), name.end());
    return m;
  };
  std::vector<bytes> names{{0xc0, 0x0c}, {0xc0, 0x0e, 0xc0, 0x0c}, {0x40, 'a', 0}, {0x80, 'a', 0}, {0xff, 0xff}};
  names.push_back(bytes(256, 1));      // 128 labels, and no end within 255 bytes
  names.push_back(bytes(64, 63));      // a label beyond the message
  names.push_back({1, 'a', 0xc0, 0});  // a pointer behind a label
  for (const auto& name : names) {
    const auto out = put(with_name(name));
    const auto* a = std::get_if<answer>(&out);
    ASSERT_NE(a, nullptr) << name.size();
    EXPECT_EQ(code_of(a->bytes), rcode::format_error) << name.size();
  }
  EXPECT_EQ(server_.counted().malformed, names.size());
}

// One byte at a time, and lengths that no question has.
TEST_F(hostile_questions, a_stream_of_questions_holds_two_of_them) {
  const auto framed = with_length(question{}.write());
  tcp_questions slow;
  std::size_t got = 0;
  for (int round = 0; round < 100; ++round)
    for (const auto byte : framed) {
      ASSERT_TRUE(slow.add(bytes{byte}));
      while (slow.next()) ++got;
    }
  EXPECT_EQ(got, 100U);
  tcp_questions never_taken;
  std::size_t held = 0;
  while (never_taken.add(framed)) held += framed.size();
  EXPECT_LE(held, 2 * (2 + tcp_questions::most_message));
  for (const auto length : std::vector<std::uint16_t>{0, 1, 11, 4'097, 65'535}) {
    tcp_questions lies;
    bytes stream(2);
    store_16(stream, 0, length);
    EXPECT_TRUE(lies.add(stream));
    EXPECT_FALSE(lies.next());
    EXPECT_TRUE(lies.is_broken()) << length;
    EXPECT_FALSE(lies.add(stream));
  }
}

}  // namespace
}  // namespace netstack::dns
