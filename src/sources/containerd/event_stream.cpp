#include "sources/containerd/event_stream.hpp"

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <utility>

#include "async/task.hpp"
#include "base/episode.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "sources/containerd/api_codec.hpp"
#include "sources/containerd/event_codec.hpp"
#include "sources/containerd/grpc_connection.hpp"
#include "sources/containerd/records.hpp"

namespace containerd {
namespace {

constexpr std::size_t most_events = 1'024;  // of one batch

base::result<std::optional<engine_event>> parse(const std::string& message) {
  const auto parts = parse_envelope(message);
  if (!parts) return std::unexpected(parts.error());
  return parse_event(parts->name_space, parts->topic, parts->payload);
}

}  // namespace

event_stream::event_stream(grpc_connection& engine)
    : call_(engine.start({"/containerd.services.events.v1.Events/Subscribe", "", make_filters(event_filters)})) {}

async::task<base::result<event_batch>> event_stream::next() {
  event_batch taken;
  while (taken.events.empty() && !taken.lost) {
    auto message = co_await call_->next();
    if (!message) co_return base::fail(message.error().code, "events: " + message.error().context);
    if (!*message) co_return base::fail("containerd closed the event stream");
    for (auto one = std::move(*message); one; one = taken.events.size() < most_events ? call_->take() : std::nullopt)
      keep(*one, taken);
  }
  co_return taken;
}

void event_stream::keep(const std::string& message, event_batch& in) {
  auto parsed = parse(message);
  if (!parsed) {
    base::log::throttled(unreadable_, base::log::level::warn, "containerd", "unreadable event, listing reason=\"{}\"",
                         parsed.error().message());
    in.lost = true;
  } else if (auto& event = *parsed) {
    in.events.push_back(std::move(*event));
  }
}

}  // namespace containerd
