#include "programs/host_switch/connect_request.hpp"

#include <gtest/gtest.h>

#include <string>

namespace host_switch {
namespace {

TEST(connect_request, a_whole_request_is_measured_without_what_follows) {
  const std::string request = "POST /connect HTTP/1.1\r\nHost: x\r\n\r\n";
  EXPECT_EQ(connect_request_size(request), request.size());
  EXPECT_EQ(connect_request_size(request + "\x2a"), request.size());
}

TEST(connect_request, a_part_of_one_waits_for_more) {
  const std::string request = "POST /connect HTTP/1.1\r\nHost: x\r\n\r\n";
  for (std::size_t size = 0; size < request.size(); ++size)
    EXPECT_EQ(connect_request_size(std::string_view(request).substr(0, size)), std::nullopt) << size;
}

TEST(connect_request, frames_are_not_requests) {
  EXPECT_EQ(connect_request_size(std::string("\x2a\x00\xff\xff\xff\xff", 6)), 0U);
  EXPECT_EQ(connect_request_size("PO"), std::nullopt) << "also the length of a frame of 20,304 bytes";
  EXPECT_EQ(connect_request_size("POxxxx"), 0U);
  EXPECT_EQ(connect_request_size("POST /tunnel HTTP/1.1\r\n"), 0U);
}

TEST(connect_request, a_request_without_an_end_is_not_one) {
  EXPECT_EQ(connect_request_size("POST /connect " + std::string(longest_connect_request, 'x')), 0U);
}

}  // namespace
}  // namespace host_switch
