// Questions to the host's resolver.
#include "programs/host_switch/dns_upstream.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/unit/programs/host_switch/dns_upstream_fixture.hpp"

namespace host_switch {
namespace {

using namespace std::chrono_literals;

TEST_F(dns_upstream_test, an_answer_comes_as_the_server_wrote_it) {
  write_servers("nameserver 127.0.0.1\n");
  inside([&] {
    name_server server(first, good);
    dns_upstream upstream(loop_->executor(), file_);
    outcome one;
    ask(upstream, question_for_x(0x1234), false, one);
    ASSERT_TRUE(finishes(one, {&server}));
    EXPECT_EQ(one.message, answer_to(question_for_x(0x1234), 7));
    EXPECT_EQ(server.asked_by_tcp, 0);
  });
}

TEST_F(dns_upstream_test, a_name_that_does_not_exist_is_an_answer) {
  write_servers("nameserver 127.0.0.1\n");
  inside([&] {
    name_server server(first, [](const bytes& q) { return answer_to(q, 0, 3); });
    dns_upstream upstream(loop_->executor(), file_);
    outcome one;
    ask(upstream, question_for_x(1), false, one);
    ASSERT_TRUE(finishes(one, {&server}));
    EXPECT_EQ(one.message, answer_to(question_for_x(1), 0, 3));
  });
}

TEST_F(dns_upstream_test, a_server_that_fails_or_refuses_is_a_failure) {
  write_servers("nameserver 127.0.0.1\n");
  inside([&] {
    for (const auto code : {std::uint8_t{2}, std::uint8_t{5}}) {
      name_server server(first, [code](const bytes& q) { return answer_to(q, 0, code); });
      dns_upstream upstream(loop_->executor(), file_);
      outcome one;
      ask(upstream, question_for_x(code), false, one);
      ASSERT_TRUE(finishes(one, {&server})) << int(code);
      EXPECT_FALSE(one.message) << int(code);
    }
  });
}

TEST_F(dns_upstream_test, where_nothing_listens_the_failure_comes_at_once) {
  write_servers("nameserver 127.0.0.1\n");
  inside([&] {
    dns_upstream upstream(loop_->executor(), file_);
    for (const bool by_tcp : {false, true}) {
      outcome one;
      ask(upstream, question_for_x(1), by_tcp, one);
      ASSERT_TRUE(finishes(one, {}, 1s)) << by_tcp;
      EXPECT_FALSE(one.message);
    }
  });
}

TEST_F(dns_upstream_test, a_silent_server_is_passed_over_after_its_time) {
  write_servers("nameserver 127.0.0.1\nnameserver 127.0.0.2\n");
  inside([&] {
    name_server dead(first, silent), alive(second, good);
    dns_upstream upstream(loop_->executor(), file_);
    outcome one;
    const auto began = std::chrono::steady_clock::now();
    ask(upstream, question_for_x(1), false, one);
    ASSERT_TRUE(finishes(one, {&dead, &alive}));
    EXPECT_TRUE(one.message);
    EXPECT_GE(std::chrono::steady_clock::now() - began, 1'400ms);
    EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
  });
}

TEST_F(dns_upstream_test, an_answer_that_was_cut_is_passed_on_and_a_question_by_tcp_asks_by_tcp) {
  write_servers("nameserver 127.0.0.1\n");
  inside([&] {
    name_server server(first, [](const bytes& q) { return answer_to(q, 0, 0, true); });
    dns_upstream upstream(loop_->executor(), file_);
    outcome by_udp, by_tcp;
    ask(upstream, question_for_x(1), false, by_udp);
    ASSERT_TRUE(finishes(by_udp, {&server}));
    ASSERT_TRUE(by_udp.message);
    EXPECT_NE((*by_udp.message)[2] & 2, 0) << "TC is set";
    EXPECT_EQ(server.asked_by_tcp, 0) << "the VM asks again, not we";
    ask(upstream, question_for_x(2), true, by_tcp);
    ASSERT_TRUE(finishes(by_tcp, {&server}));
    EXPECT_EQ(server.asked_by_tcp, 1);
    EXPECT_EQ(server.asked_by_udp, 1);
  });
}

TEST_F(dns_upstream_test, a_server_that_closes_the_stream_is_a_failure_and_no_hang) {
  write_servers("nameserver 127.0.0.1\n");
  inside([&] {
    name_server server(first, good);
    server.closes_streams = true;
    dns_upstream upstream(loop_->executor(), file_);
    outcome one;
    ask(upstream, question_for_x(1), true, one);
    ASSERT_TRUE(finishes(one, {&server}));
    EXPECT_FALSE(one.message);
  });
}

TEST_F(dns_upstream_test, many_questions_at_a_time_get_their_own_answers) {
  write_servers("nameserver 127.0.0.1\n");
  inside([&] {
    name_server server(first, [](const bytes& q) { return answer_to(q, q[1]); });
    dns_upstream upstream(loop_->executor(), file_);
    std::vector<outcome> all(200);
    for (std::uint16_t i = 0; i < all.size(); ++i) ask(upstream, question_for_x(i), false, all[i]);
    for (const auto& one : all) ASSERT_TRUE(finishes(one, {&server}));
    for (std::uint16_t i = 0; i < all.size(); ++i)
      EXPECT_EQ(all[i].message, answer_to(question_for_x(i), static_cast<std::uint8_t>(i)));
  });
}

TEST_F(dns_upstream_test, after_a_change_the_next_question_goes_to_the_new_server_and_the_old_ones_are_answered) {
  write_servers("nameserver 127.0.0.1\nsearch old.example\n");
  inside([&] {
    bool answers = false;
    name_server old_one(first, [&](const bytes& q) { return answers ? good(q) : std::nullopt; }),
        new_one(second, [](const bytes& q) { return answer_to(q, 9); });
    dns_upstream upstream(loop_->executor(), file_);
    outcome before, after;
    ask(upstream, question_for_x(1), false, before);
    loop_->run_until([&] {
      old_one.serve();
      return old_one.asked_by_udp == 1;
    });
    write_servers("nameserver 127.0.0.2\nsearch new.example other.example\n");
    upstream.renew();
    EXPECT_EQ(upstream.search_domains(), (std::vector<std::string>{"new.example", "other.example"}));
    ask(upstream, question_for_x(2), false, after);
    ASSERT_TRUE(finishes(after, {&old_one, &new_one}, 1s)) << "the old server's silence is no concern";
    EXPECT_EQ(after.message, answer_to(question_for_x(2), 9));
    EXPECT_FALSE(before.done);
    answers = true;  // to its repetition
    ASSERT_TRUE(finishes(before, {&old_one, &new_one}));
    EXPECT_EQ(before.message, answer_to(question_for_x(1), 7));
  });
}

TEST_F(dns_upstream_test, without_the_file_it_starts_and_the_file_counts_once_it_is_there) {
  inside([&] {
    name_server server(second, good);
    dns_upstream upstream(loop_->executor(), file_);
    outcome none, one;
    ask(upstream, question_for_x(1), false, none);
    ASSERT_TRUE(finishes(none, {&server}, 2s));
    EXPECT_FALSE(none.message);
    EXPECT_TRUE(upstream.search_domains().empty());
    write_servers("nameserver 127.0.0.2\n");
    upstream.renew();
    ask(upstream, question_for_x(2), false, one);
    ASSERT_TRUE(finishes(one, {&server}));
    EXPECT_TRUE(one.message);
  });
}

TEST_F(dns_upstream_test, a_file_of_rubbish_is_no_reason_not_to_start) {
  for (const auto& text : {std::string("nameserver\n"), std::string("nameserver not-an-address\n"),
                           std::string("\0\xff\n", 3) + std::string(100'000, 'x')}) {
    write_servers(text);
    inside([&] {
      dns_upstream upstream(loop_->executor(), file_);
      outcome one;
      ask(upstream, question_for_x(1), false, one);
      ASSERT_TRUE(finishes(one, {}, 2s));
      EXPECT_FALSE(one.message);
    });
  }
}

TEST_F(dns_upstream_test, its_end_calls_no_result) {
  write_servers("nameserver 127.0.0.1\n");
  inside([&] {
    name_server server(first, silent);
    outcome by_udp, by_tcp;
    {
      dns_upstream upstream(loop_->executor(), file_);
      ask(upstream, question_for_x(1), false, by_udp);
      ask(upstream, question_for_x(2), true, by_tcp);
      loop_->run_until([&] {
        server.serve();
        return server.asked_by_udp == 1;
      });
      upstream.renew();
    }
    loop_->settle();
    EXPECT_FALSE(by_udp.done);
    EXPECT_FALSE(by_tcp.done);
  });
}

}  // namespace
}  // namespace host_switch
