#include "programs/host_switch/control_api.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/text.hpp"
#include "json/json.hpp"
#include "tests/support/fetch.hpp"
#include "tests/support/metrics_check.hpp"
#include "tests/support/promtool.hpp"
#include "tests/unit/programs/host_switch/virtual_network_fixture.hpp"

namespace host_switch {
namespace {

using testing::HasSubstr;

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
            "# HELP host_switch_resets_in_total Resets in.\n# TYPE host_switch_resets_in_total counter\n"
            "host_switch_resets_in_total 7\n"
            "# HELP host_switch_links Links.\n# TYPE host_switch_links gauge\nhost_switch_links 1\n");
}

const std::vector<relay::port_status> two_ports{{{net::protocol::tcp, net::address::any_v4(), 8080}, 3, 1, 500, 70'000},
                                                {{net::protocol::udp, net::address::loopback_v6(), 53}, 2, 2, 60, 120}};

TEST(control_api, promtool_finds_no_fault_in_the_traffic_of_ports) {
  if (const auto missing = support::fetch_failure("promtool"); !missing.empty()) GTEST_SKIP() << missing;
  EXPECT_EQ(support::promtool_faults(metrics_as_text({}, two_ports)), "");
}

TEST(control_api, each_exposed_port_has_its_traffic) {
  const auto text = metrics_as_text({}, two_ports);
  for (const auto* line :
       {"# TYPE host_switch_port_connections_total counter\n"
        "host_switch_port_connections_total{protocol=\"tcp\",address=\"0.0.0.0\",port=\"8080\"} 3\n"
        "host_switch_port_connections_total{protocol=\"udp\",address=\"::1\",port=\"53\"} 2\n",
        "host_switch_port_open_connections{protocol=\"tcp\",address=\"0.0.0.0\",port=\"8080\"} 1\n",
        "host_switch_port_received_bytes_total{protocol=\"udp\",address=\"::1\",port=\"53\"} 60\n",
        "host_switch_port_sent_bytes_total{protocol=\"tcp\",address=\"0.0.0.0\",port=\"8080\"} 70000\n"})
    EXPECT_THAT(text, HasSubstr(line));
  EXPECT_EQ(support::metrics_faults(text), "");
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

// ---- With a network

class control_api_test : public virtual_network_fixture {
 protected:
  void SetUp() override {
    virtual_network_fixture::SetUp();
    api_.emplace(*network_, *forwards_);
  }
  http::response get(const std::string& target) { return api_->answer({.method = "GET", .target = target}); }
  http::response post(const std::string& call, const std::string& body) {
    return api_->answer({.method = "POST", .target = "/services/forwarder/" + call, .body = body});
  }
  std::optional<control_api> api_;
};

TEST_F(control_api_test, gvproxys_paths_are_served_by_both_their_names) {
  const auto leases = get("/leases");
  EXPECT_EQ(leases.status, 200U);
  EXPECT_EQ(leases.header("Content-Type"), "application/json");
  EXPECT_EQ(leases.body, get("/services/dhcp/leases").body);
  EXPECT_EQ(get("/cam").body, "{}\n");
  send_arp();
  EXPECT_EQ(get("/cam").body, "{\"5a:94:ef:e4:0c:ee\":1}\n");
}

TEST_F(control_api_test, statistics_are_one_object_of_numbers_with_the_same_names_as_the_metrics) {
  send_arp();
  const auto stats = get("/stats");
  EXPECT_EQ(stats.header("Content-Type"), "application/json");
  const auto text = get("/metrics");
  EXPECT_EQ(text.header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(stats.body, HasSubstr("\"links\":1"));
  EXPECT_THAT(text.body, HasSubstr("# TYPE host_switch_links gauge\nhost_switch_links 1\n"));
  EXPECT_THAT(stats.body, HasSubstr("\"frames_in\":"));
  std::set<std::string> names;
  for (const auto line : base::split(text.body, '\n')) {
    if (line.empty() || line.starts_with('#')) continue;
    const auto name = std::string(line.substr(0, line.find(' ')));
    EXPECT_TRUE(names.insert(name).second) << name << " is there twice";
    auto short_name = name.substr(std::string("host_switch_").size());
    if (short_name.ends_with("_total")) short_name.resize(short_name.size() - 6);
    EXPECT_THAT(stats.body, HasSubstr("\"" + short_name + "\":"));
  }
  EXPECT_EQ(support::metrics_faults(text.body), "");
  EXPECT_EQ(names.size(), static_cast<std::size_t>(std::ranges::count(stats.body, ':')));
}

TEST_F(control_api_test, promtool_finds_no_fault_in_the_metrics) {
  if (const auto missing = support::fetch_failure("promtool"); !missing.empty()) GTEST_SKIP() << missing;
  send_arp();
  EXPECT_EQ(support::promtool_faults(get("/metrics").body), "");
}

TEST_F(control_api_test, a_query_behind_the_path_is_ignored_and_other_paths_are_not_found) {
  EXPECT_EQ(get("/cam?x=1").status, 200U);
  for (const auto* path : {"/", "", "/cam/", "/lease", "/metrics/x", "//stats", "/services/forwarder", "/STATS",
                           "/services/forwarder/all/", "http://x/stats"}) {
    const auto answer = get(path);
    EXPECT_EQ(answer.status, 404U) << path;
    EXPECT_EQ(answer.body, "404 page not found\n") << path;
  }
}

TEST_F(control_api_test, the_owner_exposes_a_port_of_any_vm_and_withdraws_it) {
  const auto port = support::free_port();
  const auto local = fmt::format("127.0.0.1:{}", port);
  EXPECT_EQ(post("expose", fmt::format(R"({{"local":"{}","remote":"192.168.127.9:80"}})", local)).status, 200U);
  EXPECT_EQ(get("/services/forwarder/all").body,
            fmt::format(R"([{{"local":"{}","remote":"192.168.127.9:80","protocol":"tcp"}}])", local) + "\n");
  EXPECT_NO_THROW(support::connected_socket(SOCK_STREAM, {net::address::loopback_v4(), port}));
  EXPECT_EQ(post("unexpose", fmt::format(R"({{"local":"{}"}})", local)).status, 200U);
  EXPECT_THROW(support::connected_socket(SOCK_STREAM, {net::address::loopback_v4(), port}), std::system_error);
  EXPECT_EQ(get("/services/forwarder/all").body, "[]\n");
}

TEST_F(control_api_test, the_owner_too_relays_to_machines_of_the_network_alone) {
  const auto port = support::free_port();
  for (const auto* remote : {"127.0.0.1:80", "192.168.127.1:80", "192.168.127.254:22", "10.0.0.1:80",
                             "169.254.169.254:80", "192.168.127.255:9"}) {
    const auto answer = post("expose", fmt::format(R"({{"local":"127.0.0.1:{}","remote":"{}"}})", port, remote));
    EXPECT_EQ(answer.status, 500U) << remote;
    EXPECT_THAT(answer.body, HasSubstr("invalid remote addr")) << remote;
  }
  EXPECT_EQ(get("/services/forwarder/all").body, "[]\n");
}

TEST_F(control_api_test, what_is_no_request_of_the_api_is_refused_with_the_reason) {
  struct {
    const char* body;
    unsigned status;
    const char* reason;
  } const bad[] = {
      {"", 400, "EOF"},
      {"{", 400, ""},
      {"[]", 400, "cannot unmarshal array into Go value"},
      {"\"x\"", 400, "cannot unmarshal string into Go value"},
      {R"({"local":1})", 400, "cannot unmarshal number into Go struct field ExposeRequest.local"},
      {R"({"local":"127.0.0.1:1","remote":"192.168.127.2"})", 400, ""},
      {R"({"local":"x","remote":"192.168.127.2:80"})", 500, "listen tcp"},
      {R"({"local":"127.0.0.1:1","remote":"192.168.127.2:80","protocol":"sctp"})", 500, "unknown protocol sctp"}};
  for (const auto& one : bad) {
    const auto answer = post("expose", one.body);
    EXPECT_EQ(answer.status, one.status) << one.body;
    EXPECT_THAT(answer.body, HasSubstr(one.reason)) << one.body;
    EXPECT_TRUE(answer.body.ends_with('\n')) << one.body;
  }
  for (const auto* method : {"GET", "PUT", "DELETE", "HEAD"})
    for (const auto* call : {"expose", "unexpose"}) {
      const auto answer = api_->answer({.method = method, .target = std::string("/services/forwarder/") + call});
      EXPECT_EQ(answer.status, 400U) << method;
      EXPECT_EQ(answer.body, "post only\n") << method;
    }
}

TEST_F(control_api_test, a_body_of_any_depth_and_size_is_refused_and_kept_nowhere) {
  EXPECT_EQ(post("expose", std::string(100'000, '[')).status, 400U);
  EXPECT_EQ(post("expose", R"({"local":")" + std::string(70'000, 'x') + R"("})").status, 400U);
  EXPECT_EQ(get("/services/forwarder/all").body, "[]\n");
}

}  // namespace
}  // namespace host_switch
