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
#include "program/metrics_text.hpp"
#include "programs/guest_agent/controller.hpp"
#include "programs/guest_agent/status.hpp"
#include "protocols/rules_document/document_codec.hpp"
#include "protocols/status_document/document_codec.hpp"

namespace guest_agent {
namespace {

using namespace std::chrono_literals;

http::response plain(std::string type, std::string body) {
  return {200, {{"Content-Type", std::move(type)}}, std::move(body)};
}

async::task<http::answer> handle(controller* middle, const rules_reader* rules, http::incoming in) {
  if (in.head.method != "GET") co_return http::answer{http::text_response(405, "GET only"), {}};
  if (in.head.target == "/v1/status") co_return http::answer{answer_status(encode_status(*middle).text.str()), {}};
  if (in.head.target == "/v1/rules")
    co_return http::answer{answer_status(rules_document::encode((*rules)()) + "\n"), {}};
  if (in.head.target == "/metrics") co_return http::answer{answer_metrics(describe_metrics(middle->view())), {}};
  if (in.head.target != "/v1/status/watch") co_return http::answer{http::text_response(404, "404 page not found"), {}};
  const std::function<async::task<>(http::stream_writer)> stream = [middle](http::stream_writer write) {
    return stream_documents(*middle, std::move(write));
  };
  http::answer watch{answer_watch(), {}};
  watch.stream = stream;
  co_return watch;
}

}  // namespace

http::response answer_status(std::string body) { return plain("application/json", std::move(body)); }

http::response answer_metrics(std::string body) {
  return plain(std::string(program::metrics_content_type), std::move(body));
}

http::response answer_watch() { return plain("application/x-ndjson", ""); }

// With many ports the document takes more memory than the agent.
encoded_status encode_status(const controller& middle) {
  auto text = status_document::encode(describe(middle.view())) + "\n";
  os::trim_heap();
  return {std::move(text), middle.changes()};
}

// A closed connection is noticed at the next write. There is one every ten seconds at least.
async::task<> stream_documents(controller& middle, http::stream_writer write, status_reader read) {
  while (true) {
    const auto now = read ? read() : encode_status(middle);
    const bool sent = co_await write(now.text);
    if (!sent) co_return;
    const auto at_latest = async::clock::now() + 10s;
    while (middle.changes() == now.changes && async::clock::now() < at_latest)
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
