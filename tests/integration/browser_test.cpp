// The status page as a person sees it: in a real browser on the host, through host-switch.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>

#include "tests/integration/page_lab.hpp"
#include "tests/support/browser.hpp"
#include "tests/support/fetch.hpp"

namespace integration {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A list of the texts of all elements.
std::string texts_of(const std::string& selector) {
  return "[...document.querySelectorAll(" + json::serialize(json::value(selector)) + ")].map((e) => e.innerText)";
}
std::string row_of(const std::string& port) {
  return "[...document.querySelectorAll('#ports tbody tr')].find((r) => r.innerText.includes('" + port + "'))";
}

class status_page_in_a_browser : public page_lab {
 protected:
  void SetUp() override {
    if (const auto missing = support::browser::missing(); !missing.empty()) GTEST_SKIP() << missing;
    page_lab::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    browser_ = std::make_unique<support::browser>(lab_->host(), lab_->directory() / "browser");
  }
  void TearDown() override {
    if (browser_) EXPECT_THAT(browser_->errors(), testing::IsEmpty()) << "errors in the console";
    browser_.reset();
    page_lab::TearDown();
  }
  void open_page() {
    browser_->open(page_url);
    ASSERT_TRUE(browser_->becomes("document.body.dataset.connection === 'live'", 10s));
    ASSERT_TRUE(browser_->becomes(row_of("9990/tcp"), 10s)) << "the page shows its own port";
  }
  void expect_row(const std::string& port, const std::string& text) {
    EXPECT_TRUE(browser_->becomes(fmt::format("{}?.innerText.includes('{}')", row_of(port), text), 10s))
        << browser_->text("document.body.innerText");
  }
  // Screenshots are kept beside the build, for people.
  static fs::path output(const std::string& name) { return fs::path(GUESTAGENT_TEST_OUTPUT) / name; }

  std::unique_ptr<support::browser> browser_;
};

TEST_F(status_page_in_a_browser, a_container_appears_without_a_reload_and_its_link_opens_it) {
  ASSERT_NO_FATAL_FAILURE(open_page());
  browser_->evaluate("globalThis.stayed = true");
  lab_->docker().run("web", {"-p", "8080:80"});
  expect_row("8080/tcp", "web");
  expect_row("8080/tcp", "open");
  EXPECT_TRUE(browser_->becomes("globalThis.stayed && document.title.startsWith('2 ports')", 5s));
  const auto address = browser_->text(row_of("8080/tcp") + ".querySelector('a').href");
  EXPECT_EQ(address, "http://localhost:8080/");
  browser_->open(address);
  EXPECT_THAT(browser_->text("document.body.innerText"), testing::StartsWith("web"));
  ASSERT_NO_FATAL_FAILURE(open_page());
  expect_row("8080/tcp", "open");
  lab_->docker().docker({"rm", "-f", "web"});
  EXPECT_TRUE(browser_->becomes("!" + row_of("8080/tcp"), 10s));
}

TEST_F(status_page_in_a_browser, a_conflict_shows_its_reason) {
  const auto busy = support::open_socket(lab_->host(), protocol::tcp, *net::parse_endpoint("0.0.0.0:8081"), true);
  ASSERT_TRUE(busy);
  ASSERT_NO_FATAL_FAILURE(open_page());
  lab_->docker().run("web", {"-p", "8081:80"});
  expect_row("8081/tcp", "conflict");
  expect_row("8081/tcp", "address already in use");
  EXPECT_TRUE(browser_->becomes("document.querySelector('#summary').innerText.includes('1 needs attention')", 5s));
}

TEST_F(status_page_in_a_browser, a_lost_agent_is_said_and_found_again) {
  ASSERT_NO_FATAL_FAILURE(open_page());
  lab_->agent().kill9();
  EXPECT_TRUE(browser_->becomes("document.body.dataset.connection === 'lost'", 10s));
  EXPECT_THAT(browser_->text("document.querySelector('#connection').innerText"),
              HasSubstr("Not connected. The page shows the state of "));
  start_agent_and_wait({"-status-page=127.0.0.1:9990"});
  EXPECT_TRUE(browser_->becomes("document.body.dataset.connection === 'live'", 20s));
  browser_->forget_errors();  // the browser logs each attempt that fails
}

// A browser has six connections to one server, however many pages are open.
TEST_F(status_page_in_a_browser, a_hidden_page_leaves_its_connection_and_takes_it_again) {
  ASSERT_NO_FATAL_FAILURE(open_page());
  const auto hide = [this](const char* hidden) {
    browser_->evaluate(
        fmt::format("Object.defineProperty(document, 'hidden', {{value: {}, configurable: true}});"
                    "document.dispatchEvent(new Event('visibilitychange'))",
                    hidden));
  };
  hide("true");
  EXPECT_TRUE(browser_->becomes("document.body.dataset.connection === 'paused'", 10s));
  hide("false");
  EXPECT_TRUE(browser_->becomes("document.body.dataset.connection === 'live'", 10s));
}

// A document of the test's own, in place of the agent's.
constexpr auto own_stream = R"(
  window.fetch = () => Promise.resolve(new Response(new ReadableStream({
    start(to) { window.push = (status) => to.enqueue(new TextEncoder().encode(JSON.stringify(status) + '\n')); },
  })));)";
constexpr auto every_state = R"(
  const hostile = '<img src=x onerror="window.pwned = 1"><script>window.pwned = 1<\/script>';
  const peer = (name, state, more) => ({name, state, ...more});
  const held = [peer('host-switch', 'applied'), peer('wsl-proxy', 'applied')];
  const port = (number, more) => ({protocol: 'tcp', address: '0.0.0.0', port: number, container_port: 80,
    source: 'docker', owner: '0123456789abcdef', name: 'web', decision: 'exposed', claims: [], peers: held, ...more});
  window.push({version: hostile, mode: hostile, started: hostile, now: '2026-11-30T00:00:00Z',
    sources: [
      {name: 'docker', state: 'ok', bindings: 3, refusals: [{owner: hostile, what: hostile, why: hostile}]},
      {name: 'listeners', state: 'degraded', reason: 'the kernel does not list sockets', bindings: 0,
        refusals: [{owner: 'listener', what: 'tcp 127.0.0.1:631', why: 'ignored by -ignore-listeners'}]},
      {name: hostile, state: hostile, reason: hostile, bindings: 0}],
    peers: [peer('host-switch', 'synced', {applied: 3}), peer('wsl-proxy', 'down', {reason: hostile, retry_in_ms: 1500})],
    ports: [
      port(8080), port(8443, {name: hostile, owner: hostile, source: hostile, rule: hostile}),
      port(3000, {peers: [peer('host-switch', 'conflict', {reason: 'listen tcp 0.0.0.0:3000: bind: address already in use',
        retry_in_ms: 4200}), peer('wsl-proxy', 'applied')]}),
      port(53, {protocol: 'udp', guest_port: 5353, rule: 'rule 3 (line 7): no clash'}),
      port(80, {decision: 'restricted', reason: 'ports below 1024 need an installation with administrator rights',
        peers: []}),
      port(9000, {address: '127.0.0.1', decision: 'covered', reason: 'answered by tcp 0.0.0.0:9000', peers: []}),
      port(9001, {peers: [peer('host-switch', 'retrying', {reason: hostile}), peer(hostile, hostile)]}),
      port(9002, {decision: 'leftover', name: undefined, reason: 'no longer published, and may still be open'}),
    ]});)";

class own_documents : public status_page_in_a_browser {
 protected:
  void SetUp() override {
    status_page_in_a_browser::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    browser_->before_each_page(own_stream);
    browser_->open(page_url);
    ASSERT_TRUE(browser_->becomes("window.push", 10s));
    browser_->evaluate(fmt::format("(() => {{ {} }})()", every_state));
    ASSERT_TRUE(browser_->becomes(row_of("9002/tcp"), 10s)) << browser_->text("document.body.innerText");
  }
};

TEST_F(own_documents, a_hostile_name_stays_text) {
  for (const auto* port : {"8443/tcp", "9001/tcp"}) expect_row(port, "<img src=x onerror=");
  EXPECT_EQ(browser_->text("document.querySelectorAll('img, script:not([type=module])').length"), "0");
  EXPECT_EQ(browser_->text("String(window.pwned)"), "undefined");
  EXPECT_EQ(browser_->text("[...document.links].every((a) => a.protocol === 'http:' || a.protocol === 'https:')"),
            "true");
}

TEST_F(own_documents, states_have_a_word_and_reasons) {
  expect_row("8080/tcp", "http://localhost:8080");
  expect_row("8443/tcp", "https://localhost:8443");
  expect_row("3000/tcp", "address already in use, again in 5 s");
  expect_row("53/udp", "rule 3 (line 7): no clash");
  expect_row("53/udp", "port 5353 in the VM");
  expect_row("80/tcp", "administrator rights");
  expect_row("9000/tcp", "covered");
  expect_row("9001/tcp", "retrying");
  EXPECT_THAT(browser_->text(texts_of("#refusals tbody tr")), HasSubstr("ignored by -ignore-listeners"));
  EXPECT_THAT(browser_->text(texts_of("#sources tbody tr")), HasSubstr("the kernel does not list sockets"));
  EXPECT_THAT(browser_->text(texts_of("#peers tbody tr")), HasSubstr("again in 2 s"));
  EXPECT_EQ(browser_->text("document.querySelector('#announcement').textContent"),
            "8 ports, 2 need attention, 2 in progress");
}

TEST_F(own_documents, the_search_leaves_what_matches) {
  browser_->evaluate(
      "search = document.querySelector('#search'); search.value = 'conflict';"
      "search.dispatchEvent(new Event('input'))");
  EXPECT_TRUE(browser_->becomes("document.querySelectorAll('#ports tbody tr').length === 1", 5s));
  EXPECT_THAT(browser_->text("document.querySelector('#summary').innerText"), HasSubstr("1 of 8 ports"));
  browser_->evaluate("search.value = 'no such port'; search.dispatchEvent(new Event('input'))");
  EXPECT_TRUE(browser_->becomes("!document.querySelector('#empty').hidden", 5s));
}

TEST_F(own_documents, the_keyboard_reaches_search_and_links_in_order) {
  browser_->press("Tab");
  EXPECT_EQ(browser_->text("document.activeElement.id"), "search");
  EXPECT_NE(browser_->text("getComputedStyle(document.activeElement).outlineStyle"), "none");
  browser_->press("Tab");
  EXPECT_EQ(browser_->text("document.activeElement.href"), "http://localhost:8080/");
  browser_->evaluate(fmt::format("(() => {{ {} }})()", every_state));
  EXPECT_TRUE(browser_->becomes("document.activeElement.href === 'http://localhost:8080/'", 2s))
      << "a new document leaves the focus where it is";
}

TEST_F(own_documents, nothing_scrolls_sideways_at_any_width) {
  for (const bool dark : {false, true})
    for (const int width : {320, 360, 700, 1280}) {
      browser_->look(width, 900, dark);
      EXPECT_EQ(browser_->text("innerWidth"), std::to_string(width));
      EXPECT_EQ(browser_->text("document.documentElement.scrollWidth - document.documentElement.clientWidth"), "0")
          << width;
      EXPECT_EQ(browser_->text("[...document.querySelectorAll('tbody th')].filter((cell) => "
                               "matchMedia('(max-width: 44rem)').matches && cell.clientWidth < innerWidth / 2).length"),
                "0")
          << "on a narrow page a cell has the whole width: " << width;
      browser_->screenshot(output(fmt::format("status-page-{}-{}.png", width, dark ? "dark" : "light")));
    }
}

// WCAG 2.2 A and AA, and axe's best practices.
TEST_F(own_documents, axe_finds_nothing) {
  if (const auto missing = support::fetch_failure("axe_core"); !missing.empty()) GTEST_SKIP() << missing;
  browser_->evaluate(support::read_text(support::fetch("axe_core")) + "; 0");
  const auto faults = [this] {
    return browser_->text(
        "axe.run().then((found) => JSON.stringify(found.violations.map((v) => [v.id, v.impact, "
        "v.nodes.map((n) => [n.html, n.failureSummary])])))");
  };
  for (const bool dark : {false, true})
    for (const int width : {360, 1280}) {
      browser_->look(width, 900, dark);
      EXPECT_EQ(faults(), "[]") << width << (dark ? " dark" : " light");
    }
  browser_->evaluate("document.querySelector('main').append(document.createElement('img'))");
  EXPECT_THAT(faults(), HasSubstr("image-alt")) << "it does look";
}

}  // namespace
}  // namespace integration
