#include "sources/containerd/grpc_codec.hpp"

#include <gmock/gmock.h>

namespace containerd {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

using enum http2_event::kind;

TEST(grpc_codec, a_message_has_its_length_before_it) {
  EXPECT_EQ(frame_message("abc"), "\0\0\0\0\3abc"s);
  EXPECT_EQ(frame_message(std::string(70'000, 'x')).substr(0, 5), "\0\0\1\x11\x70"s);
}

TEST(grpc_codec, a_timeout_has_eight_digits_at_most) {
  EXPECT_EQ(timeout_text(10s), "10000m");
  EXPECT_EQ(timeout_text(99'999'999ms), "99999999m");
  EXPECT_EQ(timeout_text(48h), "48H");
}

TEST(grpc_codec, an_unknown_name_and_a_passed_deadline_have_codes) {
  const auto unknown = to_error("5", "no container \"a\"");
  EXPECT_EQ(unknown.code, std::errc::no_such_file_or_directory);
  EXPECT_EQ(unknown.context, "no container \"a\"");
  const auto late = to_error("4", "Deadline Exceeded");
  EXPECT_EQ(late.code, std::errc::timed_out);
  EXPECT_EQ(late.context, "") << "the code already says it";
}

TEST(grpc_codec, any_other_outcome_has_its_text_and_no_code) {
  for (const auto* status : {"14", "12", "1", "05", "-5", "5 ", "many"}) {
    const auto failed = to_error(status, "refused");
    EXPECT_FALSE(failed.code) << status;
    EXPECT_EQ(failed.message(), "refused");
  }
  EXPECT_EQ(to_error("13", "").message(), "status 13");
}

TEST(grpc_codec, the_text_of_an_outcome_is_percent_encoded) {
  EXPECT_EQ(to_error("2", "50%25 \"full\"%3a x").message(), "50% \"full\": x");
  EXPECT_EQ(to_error("2", "100% sure%2").message(), "100% sure%2");
  EXPECT_EQ(to_error("2", "%").message(), "%");
  EXPECT_EQ(to_error("2", "%zz%4").message(), "%zz%4");
}

TEST(grpc_codec, the_text_of_the_engine_stays_one_line) {
  const auto failed = to_error("13", "first%0Alevel=info forged%1b[2J\x07");
  EXPECT_THAT(failed.message(), Not(AnyOf(HasSubstr("\n"), HasSubstr("\x1b"), HasSubstr("\x07"))));
  EXPECT_THAT(failed.message(), HasSubstr("forged"));
}

TEST(message_splitter, messages_come_out_whatever_the_pieces) {
  const auto all = frame_message("one") + frame_message("") + frame_message(std::string(300, 'x'));
  for (std::size_t piece = 1; piece <= all.size(); ++piece) {
    message_splitter splitter;
    std::vector<std::string> out;
    for (std::size_t at = 0; at < all.size(); at += piece) {
      splitter.feed(std::string_view(all).substr(at, piece));
      while (auto next = splitter.next().value()) out.push_back(*next);
    }
    EXPECT_THAT(out, testing::ElementsAre("one", "", std::string(300, 'x'))) << piece;
    EXPECT_TRUE(splitter.empty());
  }
}

TEST(message_splitter, the_longest_message_is_known_by_its_prefix) {
  message_splitter splitter;
  splitter.feed("\0\4\0\0\0"s);
  EXPECT_EQ(splitter.next().value(), std::nullopt);
  message_splitter beyond;
  beyond.feed("\0\4\0\0\1"s);
  const auto refused = beyond.next();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(), "a message of 67108865 bytes");
}

class grpc_answer_test : public testing::Test {
 protected:
  void head(http2_fields all = {{":status", "200"}, {"content-type", "application/grpc"}}) {
    answer_.add({fields, 1, std::move(all), ""});
  }
  void bytes(const std::string& all) { answer_.add({data, 1, {}, all}); }
  void trailers(const std::string& status, const std::string& message = "") {
    answer_.add({fields, 1, {{"grpc-status", status}, {"grpc-message", message}}, ""});
  }
  void close(const std::string& why = "") { answer_.add({closed, 1, {}, why}); }
  void expect_failure(const std::string& why) {
    ASSERT_TRUE(answer_.over());
    ASSERT_FALSE(answer_.outcome());
    EXPECT_EQ(answer_.outcome().error().message(), why);
    EXPECT_FALSE(answer_.outcome().error().code);
  }

  grpc_answer answer_;
};

TEST_F(grpc_answer_test, a_whole_answer) {
  head();
  bytes(frame_message("one"));
  trailers("0");
  close();
  EXPECT_FALSE(answer_.over()) << "a message waits";
  EXPECT_EQ(answer_.take(), "one");
  EXPECT_TRUE(answer_.over());
  EXPECT_TRUE(answer_.outcome());
  EXPECT_EQ(answer_.take(), std::nullopt);
}

TEST_F(grpc_answer_test, an_outcome_may_be_in_the_header) {
  head({{":status", "200"}, {"content-type", "application/grpc+proto"}, {"grpc-status", "5"}});
  close();
  ASSERT_TRUE(answer_.over());
  EXPECT_EQ(answer_.outcome().error().code, std::errc::no_such_file_or_directory);
}

TEST_F(grpc_answer_test, no_outcome_is_no_success) {
  head();
  bytes(frame_message("one"));
  close();
  EXPECT_EQ(answer_.take(), "one");
  expect_failure("the answer ended without a status");
}

TEST_F(grpc_answer_test, an_end_within_a_message_is_no_success) {
  head();
  bytes(frame_message("one").substr(0, 6));
  trailers("0");
  close();
  expect_failure("the answer ended within a message");
}

TEST_F(grpc_answer_test, a_reset_counts_more_than_what_was_said_before) {
  head();
  trailers("0");
  close("RST_STREAM INTERNAL_ERROR");
  expect_failure("RST_STREAM INTERNAL_ERROR");
}

// An engine's proxy that knows no such path has not said that a container is absent.
TEST_F(grpc_answer_test, another_http_status_is_an_error_without_a_code) {
  head({{":status", "404"}, {"grpc-status", "5"}});
  expect_failure("HTTP status 404");
}

TEST_F(grpc_answer_test, another_content_is_an_error) {
  head({{":status", "200"}, {"content-type", "text/html"}});
  expect_failure("content type \"text/html\"");
}

TEST_F(grpc_answer_test, a_compressed_message_is_an_error_at_once) {
  head();
  bytes("\1");
  expect_failure("a compressed message, which was not asked for");
}

TEST_F(grpc_answer_test, the_connections_end_is_an_outcome_for_what_has_none) {
  head();
  bytes(frame_message("one"));
  answer_.fail({{}, "lost"});
  answer_.fail({{}, "lost again"});
  EXPECT_FALSE(answer_.over());
  EXPECT_EQ(answer_.take(), "one");
  expect_failure("lost");
}

TEST_F(grpc_answer_test, bytes_count_against_the_window_until_their_messages_are_taken) {
  head();
  bytes(frame_message("one") + frame_message("two"));
  EXPECT_EQ(answer_.take_credit(), 0U);
  EXPECT_EQ(answer_.take(), "one");
  EXPECT_EQ(answer_.take_credit(), 0U);
  EXPECT_EQ(answer_.take(), "two");
  EXPECT_EQ(answer_.take_credit(), 16U);
  EXPECT_EQ(answer_.take_credit(), 0U) << "once";
}

TEST_F(grpc_answer_test, a_message_may_be_longer_than_the_window) {
  head();
  bytes(frame_message(std::string(100'000, 'x')).substr(0, 65'535));
  EXPECT_EQ(answer_.take_credit(), 65'535U);
}

TEST_F(grpc_answer_test, bytes_after_a_failure_are_dropped) {
  head({{":status", "503"}});
  bytes(std::string(1'000, 'x'));
  EXPECT_EQ(answer_.take_credit(), 1'000U);
  expect_failure("HTTP status 503");
}

}  // namespace
}  // namespace containerd
