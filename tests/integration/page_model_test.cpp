// What the status page computes from a document: the functions of model.js, in the browser's engine.
#include <gmock/gmock.h>

#include <fstream>

#include "programs/guest_agent/page_content.hpp"
#include "tests/support/browser.hpp"
#include "tests/support/lab.hpp"

namespace integration {
namespace {

class page_model : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (const auto missing = support::browser::missing(); !missing.empty()) GTEST_SKIP() << missing;
    browser_ = std::make_unique<support::browser>(nowhere_.emplace("nowhere"), directory_.path() / "browser");
    const std::string url = "data:text/javascript," + http_escape(guest_agent::web::model_js());
    browser_->evaluate("import(" + json::serialize(json::value(url)) +
                       ").then(m => { Object.assign(globalThis, m); })");
  }
  void TearDown() override {
    if (browser_) EXPECT_THAT(browser_->errors(), testing::IsEmpty());
  }
  static std::string http_escape(std::string_view text) {
    std::string escaped;
    for (const char c : text) escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    return escaped;
  }
  std::string value(const std::string& expression) { return json::serialize(browser_->evaluate(expression)); }

  support::lab_directory directory_;
  std::optional<support::netns> nowhere_;
  std::unique_ptr<support::browser> browser_;
};

std::string port_with(const std::string& fields) {
  return "{protocol: 'tcp', address: '0.0.0.0', port: 8080, decision: 'exposed', " + fields + "}";
}

TEST_F(page_model, the_state_of_a_port_is_that_of_its_worst_peer) {
  const auto state = [this](const std::string& fields) { return value("stateOf(" + port_with(fields) + ")"); };
  EXPECT_EQ(state("peers: [{state: 'applied'}, {state: 'foreign'}]"), "\"open\"");
  EXPECT_EQ(state("peers: [{state: 'applied'}, {state: 'conflict'}, {state: 'pending'}]"), "\"conflict\"");
  EXPECT_EQ(state("peers: [{state: 'applied'}, {state: 'retrying'}]"), "\"retrying\"");
  EXPECT_EQ(state("peers: [{state: 'applied'}, {state: 'a new one'}]"), "\"a new one\"");
  EXPECT_EQ(state("peers: []"), "\"pending\"");
  EXPECT_EQ(state("decision: 'restricted'"), "\"restricted\"");
}

TEST_F(page_model, a_link_leads_to_an_open_tcp_port) {
  const auto link = [this](const std::string& fields) { return value("linkOf(" + port_with(fields) + ") ?? ''"); };
  const std::string held = "peers: [{name: 'host-switch', state: 'applied'}], ";
  EXPECT_EQ(link(held), "\"http://localhost:8080\"");
  EXPECT_EQ(link(held + "address: '127.0.0.1', port: 443"), "\"https://localhost:443\"");
  EXPECT_EQ(link(held + "address: '10.0.0.5', port: 8443"), "\"https://10.0.0.5:8443\"");
  EXPECT_EQ(link(held + "address: 'fd00::1'"), "\"http://[fd00::1]:8080\"");
  EXPECT_EQ(link(held + "protocol: 'udp'"), "\"\"");
  EXPECT_EQ(link("peers: [{name: 'wsl-proxy', state: 'applied'}]"), "\"http://localhost:8080\"");
  for (const auto* other : {"loopback", "wsl-proxy"})
    EXPECT_EQ(link(fmt::format("peers: [{{name: 'host-switch', state: 'conflict'}}, {{name: '{}', state: 'applied'}}]",
                               other)),
              "\"\"")
        << "another program answers there";
  EXPECT_EQ(link(held + "decision: 'leftover'"), "\"\"");
  EXPECT_EQ(link(""), "\"\"");
}

TEST_F(page_model, the_search_finds_what_is_shown) {
  const auto finds = [this](const std::string& query) {
    return value("matches(" +
                 port_with("name: 'Web', owner: '0123', source: 'docker', rule: 'rules.yaml:3', guest_port: 9000, "
                           "peers: [{name: 'host-switch', state: 'conflict', reason: 'in use'}]") +
                 ", '" + query + "')") == "true";
  };
  for (const auto* query : {"", "8080", "web", "tcp 8080", "CONFLICT", "in use", "docker web", "rules.yaml", "9000"})
    EXPECT_TRUE(finds(query)) << query;
  for (const auto* query : {"8081", "web udp", "open"}) EXPECT_FALSE(finds(query)) << query;
}

TEST_F(page_model, the_summary_counts_what_needs_attention) {
  EXPECT_EQ(value("summaryOf({})"), "\"0 ports\"");
  EXPECT_EQ(value("summaryOf({ports: [{decision: 'restricted'}, " + port_with("") + ", {decision: 'covered'}]})"),
            "\"3 ports, 1 needs attention, 1 in progress\"");
}

TEST_F(page_model, lines_are_taken_as_they_arrive) {
  EXPECT_EQ(value("takeLines('')"), R"({"lines":[],"rest":""})");
  EXPECT_EQ(value("takeLines('a\\nb\\nc')"), R"({"lines":["a","b"],"rest":"c"})");
  EXPECT_EQ(value("takeLines('a\\n\\n')"), R"({"lines":["a"],"rest":""})");
}

TEST_F(page_model, attempts_become_rarer) {
  EXPECT_EQ(value("[0, 1, 2, 5, 100].map((n) => retryDelay(n, 1))"), "[500,1000,2000,15000,15000]");
  EXPECT_EQ(value("retryDelay(0, 0)"), "375");
}

TEST_F(page_model, details_and_refusals) {
  EXPECT_EQ(value("detailsOf(" +
                  port_with("name: 'w', owner: '0123456789abcdef', guest_port: 9000, container_port: 80") + ")"),
            "\"0123456789ab, port 9000 in the VM, container port 80\"");
  EXPECT_EQ(value("refusalsOf({sources: [{name: 's', refusals: [{owner: 'o', what: 'w', why: 'y'}]}, {name: 't'}]})"),
            R"([{"source":"s","owner":"o","what":"w","why":"y"}])");
}

}  // namespace
}  // namespace integration
