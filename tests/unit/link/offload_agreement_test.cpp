#include "link/offload_agreement.hpp"

#include <gtest/gtest.h>

#include "netstack/ethernet.hpp"
#include "tests/unit/link/frames.hpp"

namespace links {
namespace {

TEST(offload_agreement, both_ends_agree_in_three_frames) {
  offload_agreement vm(offload_role::vm), host(offload_role::host);
  ASSERT_EQ(vm.begin(), marker::ask);
  EXPECT_FALSE(host.begin());
  EXPECT_FALSE(vm.sends() || host.sends());

  const auto hosts = host.on_frame(marker_frame(marker::ask));
  EXPECT_EQ(hosts.answer, marker::go);
  EXPECT_TRUE(host.sends());
  EXPECT_FALSE(host.receives()) << "the VM has not seen the answer yet";

  const auto vms = vm.on_frame(marker_frame(marker::go));
  EXPECT_EQ(vms.answer, marker::go);
  EXPECT_TRUE(vm.sends() && vm.receives());

  EXPECT_TRUE(host.on_frame(marker_frame(marker::go)).consumed);
  EXPECT_TRUE(host.receives());
}

TEST(offload_agreement, an_older_peer_keeps_plain_frames) {
  offload_agreement vm(offload_role::vm), host(offload_role::host);
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(vm.on_frame(pattern(60, static_cast<std::uint32_t>(i))).consumed);
    EXPECT_FALSE(host.on_frame(pattern(60, static_cast<std::uint32_t>(i))).consumed);
  }
  EXPECT_FALSE(vm.sends() || vm.receives() || host.sends() || host.receives());
}

// A container behind an older VM end may send any frame.
TEST(offload_agreement, a_late_request_is_an_ordinary_frame) {
  offload_agreement host(offload_role::host);
  EXPECT_FALSE(host.on_frame(pattern(60, 1)).consumed);
  const auto late = host.on_frame(marker_frame(marker::ask));
  EXPECT_FALSE(late.answer || late.consumed);
  EXPECT_FALSE(host.sends() || host.receives());
}

TEST(offload_agreement, markers_out_of_order_change_nothing) {
  offload_agreement host(offload_role::host);
  EXPECT_FALSE(host.on_frame(marker_frame(marker::go)).answer) << "nothing was asked";
  EXPECT_FALSE(host.receives() || host.sends());
  EXPECT_EQ(host.on_frame(marker_frame(marker::ask)).answer, marker::go);
  EXPECT_FALSE(host.on_frame(marker_frame(marker::ask)).answer) << "once";
  offload_agreement vm(offload_role::vm);
  EXPECT_FALSE(vm.on_frame(marker_frame(marker::ask)).answer) << "the VM's end is not asked";
  EXPECT_FALSE(vm.sends() || vm.receives());
}

TEST(offload_agreement, without_a_role_a_marker_is_a_frame) {
  offload_agreement none(offload_role::none);
  EXPECT_FALSE(none.begin());
  EXPECT_FALSE(none.on_frame(marker_frame(marker::ask)).consumed);
}

// The bytes are part of the protocol: another version of this program must know them.
TEST(offload_agreement, a_marker_is_a_frame_that_other_stacks_drop) {
  const auto frame = netstack::ethernet::parse(marker_frame(marker::ask));
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->type, 0x88b5);
  EXPECT_EQ(frame->destination.to_string(), "01:80:c2:00:00:0e");
  EXPECT_EQ(marker_frame(marker::ask).size(), 60U);
  const std::string text(frame->payload.begin(), frame->payload.begin() + 21);
  EXPECT_EQ(text, "guestagent offload 1 ");
  EXPECT_EQ(frame->payload[21], 1);
  EXPECT_EQ(marker_frame(marker::go)[35], 2);
}

TEST(offload_agreement, a_frame_that_differs_in_one_byte_is_not_a_marker) {
  for (std::size_t i = 0; i < marker_size; ++i) {
    auto frame = copy(marker_frame(marker::ask));
    frame[i] ^= 4;
    EXPECT_FALSE(parse_marker(frame)) << i;
  }
  EXPECT_FALSE(parse_marker(marker_frame(marker::ask).first(59)));
}

}  // namespace
}  // namespace links
