// The forwarder API beside gvproxy's: the same bytes to both, one after the other. docs/forwarder-api.md has the
// differences; this is the table behind it. The environment variable GVPROXY names the program, of version 0.8.9.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>

#include "tests/integration/host_switch_lab.hpp"
#include "tests/support/eventually.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using net::protocol;
using support::eventually;

struct exchange {
  const char* name;
  std::string bytes;
  int gvproxy;  // 0: it panics, and closes the connection
  int ours;     // stricter if it differs
};

const std::string host_line = "Host: 192.168.127.1\r\n";

std::string call(const std::string& path, const std::string& body, const std::string& lines = host_line) {
  return fmt::format("POST /services/forwarder/{} HTTP/1.1\r\nConnection: close\r\n{}Content-Length: {}\r\n\r\n{}",
                     path, lines, body.size(), body);
}
std::string get(const std::string& target, const std::string& lines = host_line) {
  return fmt::format("GET {} HTTP/1.1\r\nConnection: close\r\n{}\r\n", target, lines);
}
std::string expose(const std::string& local, const std::string& remote = "192.168.127.2:80",
                   const std::string& protocol = "tcp") {
  return call("expose", fmt::format(R"({{"local":"{}","remote":"{}","protocol":"{}"}})", local, remote, protocol));
}

const std::vector<exchange> table{
    {"nothing is held", get("/services/forwarder/all"), 200, 200},
    {"tcp", expose("127.0.0.1:9001"), 200, 200},
    {"twice", expose("127.0.0.1:9001"), 500, 500},
    {"udp on the same number", expose("127.0.0.1:9001", "192.168.127.2:80", "udp"), 200, 200},
    {"the caller's address", expose("127.0.0.1:9002", ":80"), 200, 200},
    {"wildcard", expose("0.0.0.0:9003"), 200, 200},
    {"wildcard in short", expose(":9004"), 200, 200},
    {"IPv6", expose("[::1]:9005"), 200, 200},
    {"no protocol", call("expose", R"({"local":"127.0.0.1:9006","remote":"192.168.127.2:80"})"), 200, 200},
    {"keys in any case", call("expose", R"({"LOCAL":"127.0.0.1:9007","Remote":"192.168.127.2:80","x":1} rest)"), 200,
     200},
    {"chunked body",
     "POST /services/forwarder/unexpose HTTP/1.1\r\nConnection: close\r\n" + host_line +
         "Transfer-Encoding: chunked\r\n\r\n1a\r\n{\"local\":\"127.0.0.1:9007\"}\r\n0\r\n\r\n",
     200, 200},
    {"100-continue", call("unexpose", R"({"local":"127.0.0.1:9006"})", host_line + "Expect: 100-continue\r\n"), 100,
     100},
    {"unknown on unexpose", call("unexpose", R"({"local":"127.0.0.1:9999"})"), 500, 500},
    {"protocol in capitals", expose("127.0.0.1:9008", "192.168.127.2:80", "TCP"), 500, 500},
    {"address of another machine to listen on", expose("10.9.8.7:9008"), 500, 500},
    {"remote is a name", expose("127.0.0.1:9008", "vm:80"), 0, 500},
    {"remote is IPv6", expose("127.0.0.1:9008", "[fe80::1]:80"), 500, 500},
    {"remote without a port", expose("127.0.0.1:9008", "192.168.127.2"), 400, 400},
    {"broken JSON", call("expose", "{"), 400, 400},
    {"no body", call("expose", ""), 400, 400},
    {"a number for a text", call("expose", R"({"local":1})"), 400, 400},
    {"GET on expose", get("/services/forwarder/expose"), 400, 400},
    {"POST on all", call("all", ""), 200, 200},
    {"query", get("/services/forwarder/all?x=y"), 200, 200},
    {"a URL", get("http://192.168.127.1/services/forwarder/all"), 200, 200},
    {"unknown path", get("/elsewhere"), 404, 404},
    {"no Host", get("/services/forwarder/all", ""), 400, 400},
    {"two Hosts", get("/services/forwarder/all", host_line + host_line), 400, 400},
    {"unknown Expect", call("all", "", host_line + "Expect: 200-ok\r\n"), 417, 417},
    {"TE gzip", get("/services/forwarder/all", host_line + "Transfer-Encoding: gzip\r\n"), 501, 501},
    {"no HTTP", "rubbish\r\n\r\n", 400, 400},
    // Here ours is stricter.
    {"Origin", get("/services/forwarder/all", host_line + "Origin: http://a.example\r\n"), 200, 403},
    {"Sec-Fetch", get("/services/forwarder/all", host_line + "Sec-Fetch-Site: cross-site\r\n"), 200, 403},
    {"a foreign Host", get("/services/forwarder/all", "Host: a.example\r\n"), 200, 403},
    {"HTTP/1.0 without Host", "GET /services/forwarder/all HTTP/1.0\r\n\r\n", 200, 400},
    {"a URL of another host", get("http://a.example/services/forwarder/all"), 200, 403},
    {"leading zeros", expose("127.0.0.1:09010"), 200, 500},
    {"leading zeros of the remote", expose("127.0.0.1:9011", "192.168.127.2:0080"), 200, 500},
    {"remote outside the subnet", expose("127.0.0.1:9012", "10.0.0.1:80"), 200, 500},
    {"remote on the host", expose("127.0.0.1:9013", "127.0.0.1:22"), 200, 500},
    {"remote is the API", expose("127.0.0.1:9014", "192.168.127.1:80"), 200, 500},
    {"a name to listen on", expose("localhost:9015"), 200, 500},
    {"port 0", expose("127.0.0.1:0"), 200, 500},
    {"a UNIX socket", expose("/tmp/gvproxy-test.sock", "tcp://192.168.127.2:80", "unix"), 200, 500},
    {"a large body", call("expose", "{" + std::string(66'000, ' ') + "}"), 400, 413},
};

class beside_gvproxy : public host_switch_lab {
 protected:
  void expect_table(const net::endpoint& at, int exchange::* status) {
    for (const auto& one : table)
      EXPECT_EQ(support::http_status(*vm_, at, one.bytes).value_or(0), one.*status) << one.name << "\n"
                                                                                    << one.bytes.substr(0, 300);
  }
  // A port that both accepted is open at both, and both list it alike.
  void expect_effect(const net::endpoint& at) {
    const auto answer = support::ask(*vm_, protocol::tcp, at, get("/services/forwarder/all")).value_or("");
    for (const auto* held : {R"({"local":"0.0.0.0:9003","remote":"192.168.127.2:80","protocol":"tcp"})",
                             R"({"local":"127.0.0.1:9001","remote":"192.168.127.2:80","protocol":"tcp"})",
                             R"({"local":"127.0.0.1:9001","remote":"192.168.127.2:80","protocol":"udp"})",
                             R"({"local":"127.0.0.1:9002","remote":"192.168.127.2:80","protocol":"tcp"})",
                             R"({"local":":9004","remote":"192.168.127.2:80","protocol":"tcp"})",
                             R"({"local":"[::1]:9005","remote":"192.168.127.2:80","protocol":"tcp"})"})
      EXPECT_THAT(answer, testing::HasSubstr(held));
    for (const auto* gone : {"9006", "9007", "9008"}) EXPECT_THAT(answer, testing::Not(testing::HasSubstr(gone)));
    for (const auto* open : {"127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.1:9003", "[::1]:9003", "127.0.0.1:9004",
                             "[::1]:9004", "[::1]:9005"})
      EXPECT_FALSE(support::refused(*host_, *net::parse_endpoint(open))) << open;
    for (const auto* closed : {"127.0.0.1:9006", "127.0.0.1:9007", "127.0.0.1:9005"})
      EXPECT_TRUE(support::refused(*host_, *net::parse_endpoint(closed))) << closed;
  }
};

TEST_F(beside_gvproxy, ours_answers_by_the_table) {
  start_and_wait();
  expect_table(api, &exchange::ours);
  expect_effect(api);
}

TEST_F(beside_gvproxy, gvproxy_answers_by_the_table) {
  const char* program = std::getenv("GVPROXY");
  if (program == nullptr) GTEST_SKIP() << "GVPROXY does not name a gvproxy";
  const net::endpoint at{api.ip, 8090};
  const support::child_process gvproxy(
      {.argv = {program, "-ssh-port", "-1", "-listen", "unix://" + (directory_->path() / "gv.sock").string(),
                "-services", "tcp://" + net::to_string(at)},
       .log = directory_->path() / "host-switch.log",
       .net_namespace = host_->path()});
  ASSERT_TRUE(eventually(10s, [&] { return support::http_status(*vm_, at, get("/services/forwarder/all")) == 200; }))
      << log();
  expect_table(at, &exchange::gvproxy);
  expect_effect(at);
}

}  // namespace
}  // namespace integration
