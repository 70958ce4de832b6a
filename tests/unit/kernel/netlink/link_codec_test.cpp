#include "kernel/netlink/link_codec.hpp"

#include <gtest/gtest.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <unistd.h>

#include <thread>

#include "kernel/netlink/interface.hpp"
#include "kernel/netlink/interface_addresses.hpp"
#include "os/namespaces.hpp"

namespace netlink {
namespace {

TEST(link_codec, requests_have_the_length_that_they_say) {
  const interface_change all{
      .mac = net::mac_address{{2, 0, 0, 0, 0, 1}}, .mtu = 1500, .queue_length = 1000, .up = true};
  for (const auto& r : {get_interface_request("lo"), change_interface_request(1, all), remove_interface_request(7),
                        add_veth_request("a", "b", 3), add_address_request(1, net::address::v4(10, 0, 0, 1), 24)}) {
    const auto header = read<nlmsghdr>(r);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->nlmsg_len, r.size());
    EXPECT_EQ(header->nlmsg_seq, request_sequence);
    EXPECT_EQ(r.size() % 4, 0U);
  }
}

TEST(link_codec, an_answer_that_is_cut_names_no_more_than_it_holds) {
  auto kernel = socket::open(NETLINK_ROUTE);
  ASSERT_TRUE(kernel);
  const auto answer = kernel->get({.request = get_interface_request("lo"), .name = "lo"});
  ASSERT_TRUE(answer);
  const auto whole = parse_interface(*answer);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->name, "lo");
  EXPECT_EQ(whole->index, 1U);
  for (std::size_t size = 0; size < answer->size(); ++size)
    static_cast<void>(parse_interface(bytes_view(*answer).first(size)));
  EXPECT_FALSE(parse_interface(bytes_view(*answer).first(answer->size() - 1))) << "its header promises more";
}

// With the kernel, in a namespace of this test's own; needs root.
class interface_test : public testing::Test {
 protected:
  template <class Work>
  void in_new_namespace(Work work) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    const auto made = os::make_net_namespace();
    if (!made) GTEST_SKIP() << made.error().message();
    const auto done = os::in_net_namespace(made->get(), [&]() -> base::result<> {
      work();
      return {};
    });
    EXPECT_TRUE(done);
  }
};

TEST_F(interface_test, a_pair_is_made_across_namespaces_and_removed_with_one_end) {
  in_new_namespace([] {
    const auto other = os::make_net_namespace();
    ASSERT_TRUE(other);
    ASSERT_TRUE(add_veth("veth-a", "veth-b", other->get()));
    EXPECT_EQ(add_veth("veth-a", "veth-b", other->get()).error().code, std::errc::file_exists);
    EXPECT_EQ(find_interface("veth-b").error().code, std::errc::no_such_device);
    const auto far_end = [&](auto work) {
      return os::in_net_namespace(other->get(), [&]() -> base::result<> { return work(); });
    };
    EXPECT_TRUE(far_end([] { return change_interface("veth-b", {.up = true}); }));
    EXPECT_TRUE(remove_interface("veth-a"));
    EXPECT_EQ(far_end([] { return remove_interface("veth-b"); }).error().code, std::errc::no_such_device);
  });
}

TEST_F(interface_test, what_is_changed_is_what_is_found) {
  in_new_namespace([] {
    const auto here = os::net_namespace_of(::gettid());
    ASSERT_TRUE(here);
    ASSERT_TRUE(add_veth("veth-a", "veth-b", here->get()));
    const net::mac_address mac{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xee}};
    ASSERT_TRUE(change_interface("veth-a", {.mac = mac, .mtu = 1400, .queue_length = 5000}));
    ASSERT_TRUE(change_interface("veth-a", {.up = true}));
    const auto found = find_interface("veth-a");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->mac, mac);
    EXPECT_EQ(found->mtu, 1400U);
    EXPECT_TRUE(found->up);
    ASSERT_TRUE(change_interface("veth-a", {.up = false}));
    EXPECT_FALSE(find_interface("veth-a")->up);
  });
}

TEST_F(interface_test, an_address_may_be_added_twice) {
  in_new_namespace([] {
    const auto ip = net::address::v4(192, 168, 143, 2);
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(add_address("lo", ip, 24));
    const auto all = addresses_of("lo");
    ASSERT_TRUE(all);
    EXPECT_EQ(std::ranges::count(*all, interface_address{"lo", ip, 24, true}), 1);
  });
}

}  // namespace
}  // namespace netlink
