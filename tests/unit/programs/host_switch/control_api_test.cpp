#include "programs/host_switch/control_api.hpp"

#include <gtest/gtest.h>

namespace host_switch {
namespace {

constexpr net::mac_address vm{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xee}};

TEST(control_api, leases_are_addresses_and_macs) {
  netstack::lease one;
  one.mac = vm;
  one.address = {0xc0a8'7f02};
  EXPECT_EQ(leases_as_json({one}), "{\"192.168.127.2\":\"5a:94:ef:e4:0c:ee\"}\n");
  EXPECT_EQ(leases_as_json({}), "{}\n");
}

TEST(control_api, stations_are_macs_and_links) {
  links::mac_table::station one;
  one.mac = vm;
  one.link = 3;
  EXPECT_EQ(stations_as_json({one, one}), "{\"5a:94:ef:e4:0c:ee\":3,\"5a:94:ef:e4:0c:ee\":3}\n");
}

TEST(control_api, counters_end_with_total_and_gauges_do_not) {
  const std::vector<metric> all{{"resets_in", 7}, {"links", 1, true}};
  EXPECT_EQ(metrics_as_json(all), "{\"resets_in\":7,\"links\":1}\n");
  EXPECT_EQ(metrics_as_text(all),
            "# TYPE host_switch_resets_in_total counter\nhost_switch_resets_in_total 7\n"
            "# TYPE host_switch_links gauge\nhost_switch_links 1\n");
}

std::vector<translator::link_status> two_links() {
  translator::link_status plain, cut;
  plain.id = 1;
  cut.id = 7;
  cut.offload = cut.blocked = true;
  plain.counters = {.frames_in = 1, .bytes_in = 60, .frames_out = 2, .bytes_out = 120, .dropped = 3, .strangers = 4};
  cut.counters = {.frames_in = 10, .dropped = 30};
  return {plain, cut};
}

TEST(control_api, each_link_says_whether_it_has_offload) {
  EXPECT_EQ(links_as_json(two_links()),
            "{\"1\":{\"offload\":false,\"blocked\":false,\"frames_in\":1,\"bytes_in\":60,\"frames_out\":2,"
            "\"bytes_out\":120,\"dropped\":3},"
            "\"7\":{\"offload\":true,\"blocked\":true,\"frames_in\":10,\"bytes_in\":0,\"frames_out\":0,"
            "\"bytes_out\":0,\"dropped\":30}}\n");
  EXPECT_EQ(links_as_json({}), "{}\n");
}

TEST(control_api, links_with_offload_are_counted) {
  const auto text = metrics_as_text(link_metrics(two_links()));
  for (const auto* line :
       {"host_switch_links_with_offload 1\n", "host_switch_links_blocked 1\n",
        "host_switch_link_frames_dropped_total 33\n", "host_switch_link_datagrams_of_strangers_total 4\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
}

}  // namespace
}  // namespace host_switch
