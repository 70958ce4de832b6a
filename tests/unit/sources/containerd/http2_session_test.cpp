// The session against bytes, as a server may send them and as it must not.
#include "sources/containerd/http2_session.hpp"

#include <gmock/gmock.h>

#include "tests/unit/sources/containerd/http2_frames.hpp"

namespace containerd {
namespace {

using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

using enum http2_event::kind;

constexpr std::size_t window = 65'535;

class http2_session_test : public testing::Test {
 protected:
  // Passes the server's bytes on after the client's; returns what the client sends then.
  std::string exchange(const std::string& bytes) {
    output();
    const auto received = session_.receive(bytes);
    EXPECT_TRUE(received) << received.error().message();
    return output();
  }
  std::string output() {
    std::string all;
    while (true) {
      const auto some = session_.take_output();
      EXPECT_TRUE(some) << some.error().message();
      if (!some || some->empty()) break;
      all += *some;
    }
    for (auto& e : session_.take_events()) events_.push_back(std::move(e));
    return all;
  }
  // The connection ends for this reason.
  void expect_failure(const std::string& bytes, const std::string& reason) {
    const auto received = session_.receive(bytes);
    ASSERT_FALSE(received);
    EXPECT_THAT(received.error().message(), HasSubstr(reason));
    EXPECT_FALSE(session_.receive(frames::ping())) << "it stays so";
  }
  std::int32_t request(std::string body = "question") {
    return session_
        .request({{":method", "POST"}, {":scheme", "http"}, {":path", "/a"}, {":authority", "localhost"}},
                 std::move(body))
        .value();
  }
  // The bytes that the client permits anew, for a stream or (0) the connection.
  static std::uint32_t updates(const std::string& sent, std::uint32_t stream) {
    std::uint32_t sum = 0;
    for (const auto& f : frames::frames_in(sent))
      for (std::size_t i = 0; i < 4 && f.type == 8 && f.stream == stream; ++i)
        sum += static_cast<std::uint32_t>(static_cast<std::uint8_t>(f.payload[i])) << (24 - 8 * i);
    return sum;
  }
  static std::size_t count(const std::string& sent, std::uint8_t type) {
    std::size_t all = 0;
    for (const auto& f : frames::frames_in(sent)) all += f.type == type ? 1U : 0U;
    return all;
  }

  http2_session session_;
  std::vector<http2_event> events_;
};

TEST_F(http2_session_test, begins_with_the_preface_and_its_settings) {
  const auto sent = output();
  EXPECT_TRUE(sent.starts_with("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  const auto all = frames::frames_in(sent);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].type, 4);
  EXPECT_EQ(all[0].payload, frames::number(2, 2) + frames::number(0) + frames::number(6, 2) + frames::number(16'384))
      << "no pushes, and a bound on headers";
}

TEST_F(http2_session_test, an_answer_is_its_header_its_bytes_and_its_trailers) {
  ASSERT_EQ(request(), 1);
  const auto sent = frames::frames_in(output());
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_EQ(sent[2].payload, "question");
  EXPECT_EQ(sent[2].flags, frames::end_stream);
  exchange(frames::settings() + frames::headers(1, frames::ok) + frames::data(1, "an") + frames::data(1, "swer") +
           frames::headers(1, {{"grpc-status", "0"}}, frames::end_headers | frames::end_stream));
  ASSERT_EQ(events_.size(), 5U);
  EXPECT_EQ(events_[0].what, fields);
  EXPECT_THAT(events_[0].fields,
              UnorderedElementsAre(Pair(":status", "200"), Pair("content-type", "application/grpc")));
  EXPECT_EQ(events_[1].text + events_[2].text, "answer");
  EXPECT_THAT(events_[3].fields, UnorderedElementsAre(Pair("grpc-status", "0")));
  EXPECT_EQ(events_[4].what, closed);
  EXPECT_EQ(events_[4].text, "");
  for (const auto& e : events_) EXPECT_EQ(e.stream, 1);
}

TEST_F(http2_session_test, bytes_may_come_one_by_one) {
  request();
  output();
  const auto all = frames::settings() + frames::headers(1, frames::ok) + frames::data(1, "answer", frames::end_stream);
  for (const char byte : all) exchange(std::string(1, byte));
  std::string text;
  for (const auto& e : events_) text += e.text;
  EXPECT_EQ(text, "answer");
  EXPECT_EQ(events_.back().what, closed);
}

TEST_F(http2_session_test, what_is_not_consumed_counts_against_the_stream_alone) {
  request();
  exchange(frames::settings() + frames::headers(1, frames::ok));
  std::string sent;
  for (int i = 0; i < 3; ++i) sent += exchange(frames::data(1, std::string(16'384, 'x')));
  EXPECT_EQ(updates(sent, 1), 0U);
  EXPECT_GE(updates(sent, 0), window / 2) << "other streams go on";
  session_.consumed(1, 3 * 16'384);
  EXPECT_EQ(updates(output(), 1), 3U * 16'384);
}

TEST_F(http2_session_test, a_server_that_ignores_the_window_loses_its_stream) {
  request();
  exchange(frames::settings() + frames::headers(1, frames::ok));
  for (int i = 0; i < 5; ++i) exchange(frames::data(1, std::string(16'384, 'x')));
  EXPECT_EQ(events_.back().what, closed);
  EXPECT_EQ(events_.back().text, "RST_STREAM FLOW_CONTROL_ERROR");
}

TEST_F(http2_session_test, a_request_waits_for_the_servers_window) {
  exchange(frames::settings() + frames::setting(4, 0));
  request();
  EXPECT_EQ(count(output(), 0), 0U);
  EXPECT_EQ(count(exchange(frames::window_update(1, 100)), 0), 1U);
}

TEST_F(http2_session_test, a_request_waits_while_the_server_allows_no_more) {
  exchange(frames::setting(3, 1));
  request();
  request();
  EXPECT_EQ(count(output(), 1), 1U);
  EXPECT_EQ(count(exchange(frames::headers(1, frames::ok, frames::end_headers | frames::end_stream)), 1), 1U);
}

TEST_F(http2_session_test, a_cancelled_request_is_reset_and_what_comes_of_it_does_no_harm) {
  request();
  output();
  session_.cancel(1);
  EXPECT_EQ(count(output(), 3), 1U);
  events_.clear();
  const auto sent = exchange(frames::settings() + frames::headers(1, frames::ok) +
                             frames::data(1, std::string(16'384, 'x')) + frames::data(1, std::string(16'384, 'x')));
  EXPECT_TRUE(events_.empty());
  EXPECT_EQ(updates(sent, 0), 2U * 16'384) << "and takes no room from others";
}

TEST_F(http2_session_test, a_request_that_was_cancelled_at_once_is_not_sent) {
  request();
  session_.cancel(1);
  EXPECT_EQ(count(output(), 1), 0U);
  ASSERT_EQ(events_.size(), 1U);
  EXPECT_EQ(events_[0].what, closed);
}

TEST_F(http2_session_test, a_reset_ends_its_stream_alone) {
  request();
  request();
  output();
  exchange(frames::settings() + frames::reset(1, 7) + frames::headers(3, frames::ok));
  ASSERT_EQ(events_.size(), 2U);
  EXPECT_EQ(events_[0].text, "RST_STREAM REFUSED_STREAM");
  EXPECT_EQ(events_[1].stream, 3);
}

TEST_F(http2_session_test, goaway_ends_the_connection_after_the_events_before_it) {
  request();
  output();
  const auto received =
      session_.receive(frames::settings() + frames::headers(1, frames::ok) + frames::goaway(11, "too_many_pings\n"));
  ASSERT_FALSE(received);
  EXPECT_EQ(received.error().message(), "GOAWAY ENHANCE_YOUR_CALM: too_many_pings\\x0a");
  const auto events = session_.take_events();
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events[0].what, fields);
  EXPECT_FALSE(session_.receive(frames::ping())) << "it stays so";
}

TEST_F(http2_session_test, a_ping_is_answered) {
  const auto sent = frames::frames_in(exchange(frames::settings() + frames::ping()));
  const auto& last = sent.back();
  EXPECT_EQ(last.type, 6);
  EXPECT_EQ(last.flags, 1) << "an answer";
  EXPECT_EQ(last.payload, "12345678");
}

TEST_F(http2_session_test, pings_without_end_end_the_connection) {
  exchange(frames::settings());
  std::string all;
  for (int i = 0; i < 2'000; ++i) all += frames::ping();
  expect_failure(all, "");
}

TEST_F(http2_session_test, pings_that_are_answered_one_by_one_may_go_on) {
  exchange(frames::settings());
  for (int i = 0; i < 2'000; ++i) ASSERT_EQ(count(exchange(frames::ping()), 6), 1U);
}

TEST_F(http2_session_test, too_large_a_header_ends_its_stream_alone) {
  request();
  request();
  output();
  frames::fields large = frames::ok;
  for (int i = 0; i < 100; ++i) large.emplace_back("a" + std::to_string(i), std::string(140, 'x'));
  exchange(frames::settings() + frames::headers(1, large) + frames::headers(3, frames::ok));
  ASSERT_EQ(events_.size(), 2U);
  EXPECT_EQ(events_[0].stream, 3);
  EXPECT_EQ(events_[1].stream, 1);
  EXPECT_EQ(events_[1].text, "a header of more than 16384 bytes");
}

TEST_F(http2_session_test, a_header_without_end_ends_the_connection) {
  request();
  exchange(frames::settings());
  std::string all = frames::headers(1, frames::ok, 0);
  for (int i = 0; i < 100; ++i) all += frames::frame(9, 0, 1, frames::hpack({{"a", std::string(100, 'x')}}));
  expect_failure(all, "");
}

TEST_F(http2_session_test, an_interim_answer_says_nothing) {
  request();
  exchange(frames::settings() + frames::headers(1, {{":status", "103"}}) + frames::headers(1, frames::ok));
  ASSERT_EQ(events_.size(), 1U);
  EXPECT_EQ(events_[0].fields.at(":status"), "200");
}

TEST_F(http2_session_test, a_header_that_http_does_not_allow_ends_its_stream) {
  request();
  exchange(frames::settings() + frames::headers(1, {{"content-type", "application/grpc"}}));
  ASSERT_EQ(events_.size(), 1U);
  EXPECT_EQ(events_[0].text, "RST_STREAM PROTOCOL_ERROR");
}

TEST_F(http2_session_test, an_answer_to_another_protocol_ends_the_connection) {
  expect_failure("HTTP/1.1 400 Bad Request\r\n\r\n", "");
}

TEST_F(http2_session_test, frames_that_a_server_must_not_send_end_the_connection) {
  const std::string forbidden[] = {
      frames::data(0, "x"),                                      // of no stream
      frames::data(7, "x"),                                      // of a stream that was never begun
      frames::headers(2, frames::ok),                            // of a stream of the server's
      frames::frame(6, 0, 0, "short"),                           // a ping of another size
      frames::window_update(0, 0),                               // of nothing
      frames::window_update(0, 0x7fffffff),                      // beyond the greatest window
      frames::setting(4, 0x80000000),                            // likewise
      frames::frame(0, 0, 1, std::string(16'385, 'x')),          // larger than was agreed
      frames::frame(1, frames::end_headers, 1, "\xff\xff\xff"),  // a header that cannot be decoded
  };
  for (const auto& bytes : forbidden) {
    http2_session session;
    ASSERT_TRUE(session.request({{":method", "POST"}, {":scheme", "http"}, {":path", "/"}}, ""));
    ASSERT_TRUE(session.take_output());
    ASSERT_TRUE(session.receive(frames::settings()));
    EXPECT_FALSE(session.receive(bytes)) << testing::PrintToString(bytes.substr(0, 20));
  }
}

TEST_F(http2_session_test, a_push_is_refused_and_after_the_settings_were_acknowledged_forbidden) {
  const auto push = frames::frame(5, frames::end_headers, 1, frames::number(2));
  request();
  const auto sent = frames::frames_in(exchange(frames::settings() + push));
  EXPECT_EQ(sent.back().type, 3);
  EXPECT_EQ(sent.back().stream, 2U);
  EXPECT_TRUE(events_.empty());
  expect_failure(frames::frame(4, 1, 0, "") + frames::frame(5, frames::end_headers, 1, frames::number(4)), "");
}

TEST_F(http2_session_test, pushes_without_end_end_the_connection) {
  request();
  exchange(frames::settings());
  std::string all;
  for (std::uint32_t stream = 2; stream < 4'000; stream += 2)
    all += frames::frame(5, frames::end_headers, 1, frames::number(stream));
  expect_failure(all, "frames that want answers, and none of these is read");
}

TEST_F(http2_session_test, a_frame_of_an_unknown_type_is_skipped) {
  request();
  exchange(frames::settings() + frames::frame(0x42, 0xff, 1, "later") + frames::headers(1, frames::ok));
  EXPECT_EQ(events_.size(), 1U);
}

}  // namespace
}  // namespace containerd
