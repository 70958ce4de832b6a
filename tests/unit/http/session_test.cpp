// The bookkeeping that all connections of a server share. server_test has the requests and answers.
#include "http/session.hpp"

#include <gmock/gmock.h>
#include <sys/socket.h>

#include <array>

#include "tests/support/event_loop.hpp"
#include "tests/support/socket_peer.hpp"

namespace http {
namespace {

using namespace std::chrono_literals;

class session_test : public testing::Test {
 protected:
  // A connection of that caller; the test holds its other end.
  std::shared_ptr<session> open(const std::string& caller) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    clients_.emplace_back(ends[0]);
    session::socket_type socket(loop_.executor(), {AF_UNIX, 0}, ends[1]);
    return std::make_shared<session>(std::move(socket), state_, caller);
  }
  std::shared_ptr<session> writing(const std::string& caller, std::size_t bytes) {
    auto made = open(caller);
    made->set_unsent(bytes);
    return made;
  }
  static async::task<answer> refuse_all(incoming) { co_return answer{{404, {}, "no"}, {}}; }

  support::event_loop loop_;
  std::shared_ptr<server_state> state_ = std::make_shared<server_state>(
      loop_.executor(), refuse_all, server_limits{.connections = 4, .unsent_bytes = 100, .idle = 10s, .write = 10s});
  std::vector<base::unique_fd> clients_;
};

TEST_F(session_test, is_listed_while_it_is_open) {
  const auto a = open("a"), b = open("b");
  EXPECT_NE(a->id, b->id);
  EXPECT_EQ(state_->open.size(), 2U);
  state_->close(a->id);
  EXPECT_FALSE(a->socket.is_open());
  EXPECT_EQ(state_->open.size(), 1U);
  EXPECT_TRUE(state_->open.contains(b->id));
  state_->close(a->id);  // again, and one that never was: nothing happens
  state_->close(4'711);
  EXPECT_TRUE(b->socket.is_open());
}

TEST_F(session_test, its_end_closes_the_socket_and_takes_its_bytes_off_the_sum) {
  {
    const auto a = writing("a", 60);
    const auto b = writing("b", 30);
    EXPECT_EQ(state_->unsent, 90U);
    b->set_unsent(10);
    EXPECT_EQ(state_->unsent, 70U) << "the last figure counts, not the sum";
    a->close();
    EXPECT_EQ(state_->unsent, 10U);
  }
  EXPECT_EQ(state_->unsent, 0U);
  EXPECT_TRUE(state_->open.empty());
  char byte = 0;
  for (const auto& client : clients_) EXPECT_EQ(::recv(client.get(), &byte, 1, 0), 0);
}

TEST_F(session_test, a_close_wakes_the_one_that_waits_for_a_slot) {
  const auto a = open("a");
  bool woken = false;
  auto wait = [](std::shared_ptr<server_state> state, bool& flag) -> async::task<> {
    co_await state->slot_freed.wait();
    flag = true;
  };
  loop_.spawn(wait(state_, woken));
  loop_.settle();
  EXPECT_FALSE(woken);
  a->close();
  EXPECT_TRUE(loop_.run_until([&] { return woken; }));
}

TEST_F(session_test, an_answer_that_fits_costs_no_other) {
  const auto slow = writing("a", 60), asker = open("b");
  state_->reserve_answer(40, asker.get());
  EXPECT_TRUE(slow->socket.is_open()) << "60 and 40 are not more than 100";
  state_->reserve_answer(41, asker.get());
  EXPECT_FALSE(slow->socket.is_open());
  EXPECT_TRUE(asker->socket.is_open());
}

TEST_F(session_test, the_caller_with_the_most_bytes_gives_way) {
  const auto one = writing("modest", 40), greedy = writing("greedy", 30), again = writing("greedy", 30);
  const auto asker = open("asker");
  state_->reserve_answer(10, asker.get());
  EXPECT_TRUE(one->socket.is_open()) << "the largest answer, but not of the largest caller";
  EXPECT_FALSE(greedy->socket.is_open()) << "its oldest one";
  EXPECT_TRUE(again->socket.is_open());
}

TEST_F(session_test, as_many_give_way_as_are_needed) {
  const auto a = writing("x", 30), b = writing("x", 30), c = writing("x", 30), asker = open("y");
  state_->reserve_answer(60, asker.get());
  EXPECT_FALSE(a->socket.is_open());
  EXPECT_FALSE(b->socket.is_open());
  EXPECT_TRUE(c->socket.is_open());
  EXPECT_EQ(state_->unsent, 30U);
}

TEST_F(session_test, neither_the_asker_nor_a_connection_without_an_answer_gives_way) {
  const auto asker = writing("x", 90), idle = open("x");
  state_->reserve_answer(1'000, asker.get());
  EXPECT_TRUE(asker->socket.is_open()) << "a single answer may be larger";
  EXPECT_TRUE(idle->socket.is_open());
}

TEST_F(session_test, an_open_slot_is_returned_when_the_client_leaves_midway) {
  bool over = false;
  auto serve = [](std::shared_ptr<session> s, bool& flag) -> async::task<> {
    co_await serve_session(std::move(s));
    flag = true;
  };
  loop_.spawn(serve(open("a"), over));
  support::send_all(clients_.front().get(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf");
  loop_.settle();
  EXPECT_FALSE(over);
  EXPECT_EQ(state_->open.size(), 1U);
  clients_.clear();
  EXPECT_TRUE(loop_.run_until([&] { return over && state_->open.empty(); }));
}

TEST_F(session_test, one_that_is_closed_by_the_server_ends_by_itself) {
  bool over = false;
  auto serve = [](std::shared_ptr<session> s, bool& flag) -> async::task<> {
    co_await serve_session(std::move(s));
    flag = true;
  };
  const auto s = open("a");
  loop_.spawn(serve(s, over));
  loop_.settle();
  state_->close(s->id);
  EXPECT_TRUE(loop_.run_until([&] { return over; }));
}

}  // namespace
}  // namespace http
