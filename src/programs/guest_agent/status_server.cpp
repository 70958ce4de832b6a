#include "programs/guest_agent/status_server.hpp"

#include <unistd.h>

#include <functional>
#include <string>
#include <utility>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "base/unique_fd.hpp"
#include "http/message.hpp"
#include "http/server.hpp"
#include "os/claimed_unix_path.hpp"
#include "os/heap.hpp"
#include "programs/guest_agent/controller.hpp"
#include "programs/guest_agent/status.hpp"
#include "protocols/rules_document/document_codec.hpp"
#include "protocols/status_document/document_codec.hpp"

namespace guest_agent {
namespace {

using namespace std::chrono_literals;

// With many ports the document takes more memory than the agent.
std::string document(controller& middle) {
  auto text = status_document::encode(describe(middle.view())) + "\n";
  os::trim_heap();
  return text;
}

http::answer plain(unsigned status, std::string type, std::string body) {
  return {{status, {{"Content-Type", std::move(type)}}, std::move(body)}, {}};
}

async::task<http::answer> handle(controller* middle, const rules_reader* rules, http::incoming in) {
  if (in.head.method != "GET") co_return http::answer{http::text_response(405, "GET only"), {}};
  if (in.head.target == "/v1/status") co_return plain(200, "application/json", document(*middle));
  if (in.head.target == "/v1/rules")
    co_return plain(200, "application/json", rules_document::encode((*rules)()) + "\n");
  if (in.head.target == "/metrics") co_return plain(200, "text/plain; version=0.0.4", describe_metrics(middle->view()));
  if (in.head.target != "/v1/status/watch") co_return http::answer{http::text_response(404, "404 page not found"), {}};
  const std::function<async::task<>(http::stream_writer)> stream = [middle](http::stream_writer write) {
    return stream_documents(*middle, std::move(write));
  };
  auto head = plain(200, "application/x-ndjson", "");
  head.stream = stream;
  co_return head;
}

}  // namespace

// A closed connection is noticed at the next write. There is one every ten seconds at least.
async::task<> stream_documents(controller& middle, http::stream_writer write) {
  while (true) {
    const auto shown = middle.changes();
    std::string now = document(middle);
    const bool sent = co_await write(std::move(now));
    if (!sent) co_return;
    const auto at_latest = async::clock::now() + 10s;
    while (middle.changes() == shown && async::clock::now() < at_latest)
      co_await middle.changed().wait_until(at_latest);
    co_await async::sleep_for(100ms);  // one document for a burst of changes
  }
}

async::task<> serve_status(controller& middle, rules_reader rules, const os::claimed_unix_path& listener) {
  const http::handler handler = [served = &middle, by = &rules](http::incoming in) {
    return handle(served, by, std::move(in));
  };
  co_await http::serve(base::unique_fd(::dup(listener.fd())), handler, {.connections = 16});
}

}  // namespace guest_agent
