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

}  // namespace
}  // namespace host_switch
