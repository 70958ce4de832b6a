// DNS questions of the VM on their way to the control thread, and the answers back, as records on a pair of sockets.
#include "translator/dns_port.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "tests/unit/translator/plane_fixture.hpp"

namespace translator {
namespace {

constexpr endpoint dns_server{gateway, 53}, asker{vm, 4'711};

class dns_port_test : public plane_fixture {
 protected:
  void SetUp() override { start(); }
  // The control thread's side.
  void answer(const endpoint& to, bytes_view message) {
    const auto head = dns_head_of(to);
    bytes record(head.begin(), head.end());
    record.insert(record.end(), message.begin(), message.end());
    ASSERT_EQ(::send(dns_.get(), record.data(), record.size(), MSG_NOSIGNAL), std::ssize(record));
  }
  bytes next_record() {
    bytes got(70'000);
    ssize_t size = -1;
    EXPECT_TRUE(soon([&] { return (size = ::recv(dns_.get(), got.data(), got.size(), MSG_DONTWAIT)) >= 0; }));
    got.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    return got;
  }
};

TEST(dns_head, an_endpoint_survives_and_the_last_bytes_are_zeros) {
  for (const auto& e : {endpoint{{0}, 0}, endpoint{{0xffff'ffff}, 65'535}, asker}) {
    const auto head = dns_head_of(e);
    EXPECT_EQ(dns_asker_of(head), e);
    EXPECT_EQ(head[6], 0);
    EXPECT_EQ(head[7], 0);
  }
  EXPECT_EQ(dns_head_of(asker), (std::array<std::uint8_t, 8>{192, 168, 127, 2, 0x12, 0x67, 0, 0}));
}

TEST_F(dns_port_test, each_question_is_one_record_with_its_asker) {
  auto machine = join();
  for (std::uint16_t i = 0; i < 20; ++i)
    machine.put_udp(static_cast<std::uint16_t>(4'711 + i), dns_server, counting(12 + i));
  for (std::uint16_t i = 0; i < 20; ++i) {
    const auto record = next_record();
    ASSERT_EQ(record.size(), dns_record_head + 12 + i);
    EXPECT_EQ(dns_asker_of(record), (endpoint{vm, static_cast<std::uint16_t>(4'711 + i)}));
    EXPECT_EQ(bytes(record.begin() + dns_record_head, record.end()), counting(12U + i));
  }
}

TEST_F(dns_port_test, an_answer_comes_from_the_server_that_was_asked) {
  auto machine = join();
  for (const std::size_t size : {12UL, 512UL, 1'472UL, 9'000UL}) {
    answer(asker, counting(size));
    const auto got = machine.next_datagram();
    ASSERT_TRUE(got) << size;
    EXPECT_EQ(got->from, dns_server);
    EXPECT_EQ(got->to, asker);
    EXPECT_EQ(got->payload, counting(size));
  }
}

TEST_F(dns_port_test, a_record_that_is_no_answer_harms_no_other) {
  auto machine = join();
  ASSERT_EQ(::send(dns_.get(), "short", 5, 0), 5);
  answer({{0x0a00'0001}, 1}, text("to no VM of this network"));
  answer(asker, text("good"));
  const auto got = machine.next_datagram();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->payload, text("good"));
  EXPECT_EQ(now(plane().count().datagrams_dropped), 1U);
}

TEST_F(dns_port_test, a_control_thread_that_does_not_read_costs_questions_and_nothing_else) {
  auto machine = join();
  const auto server = udp_server();
  for (int i = 0; i < 20'000 && now(plane().count().questions_dropped) == 0; ++i)
    machine.put_udp(4'711, dns_server, text("question"));
  EXPECT_TRUE(soon([&] { return now(plane().count().questions_dropped) > 0; }));
  machine.put_udp(5'000, by_alias(server), text("goes on"));
  EXPECT_EQ(support::read_exactly(server.get(), 7), "goes on");
  EXPECT_EQ(next_record().size(), dns_record_head + 8) << "what it took stays";
}

TEST_F(dns_port_test, the_end_of_the_control_thread_makes_the_loop_neither_end_nor_spin) {
  auto machine = join();
  dns_.reset();
  const auto used = [] {
    rusage now{};
    ::getrusage(RUSAGE_SELF, &now);
    return now.ru_utime.tv_sec * 1'000'000 + now.ru_utime.tv_usec + now.ru_stime.tv_sec * 1'000'000 +
           now.ru_stime.tv_usec;
  };
  const auto before = used();
  EXPECT_FALSE(machine.next_datagram(300ms));
  EXPECT_LT(used() - before, 150'000) << "microseconds, of 300,000";
  machine.put_udp(4'711, dns_server, text("question"));
  EXPECT_TRUE(soon([&] { return now(plane().count().questions_dropped) == 1; }));
}

}  // namespace
}  // namespace translator
