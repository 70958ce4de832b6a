#include "sources/containerd/event_stream.hpp"

#include <events.grpc.pb.h>
#include <events.pb.h>

#include <cstddef>
#include <expected>
#include <string>
#include <utility>

#include "async/task.hpp"
#include "base/episode.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "sources/containerd/channel.hpp"
#include "sources/containerd/event_codec.hpp"
#include "sources/containerd/records.hpp"

namespace containerd {
namespace {

namespace api = services::events::v1;

constexpr std::size_t most_events = 1'024;  // that wait to be taken

}  // namespace

void event_stream::start(api::Events::Stub& stub, grpc::CompletionQueue& queue) {
  api::SubscribeRequest request;
  for (const auto filter : event_filters) request.add_filters(std::string(filter));
  reader_ = stub.PrepareAsyncSubscribe(&context_, request, &queue);
  step_ = step::start;
  reader_->StartCall(tag(shared_from_this()));
}

void event_stream::abandon() {
  abandoned_ = true;
  context_.TryCancel();
}

async::task<base::result<event_batch>> event_stream::next() {
  while (events_.empty() && !lost_ && step_ != step::over) co_await changed_.wait();
  if (events_.empty() && !lost_)
    co_return std::unexpected(status_.ok() ? base::error{{}, "containerd closed the event stream"}
                                           : to_error(status_, "events"));
  event_batch taken{std::exchange(events_, {}), std::exchange(lost_, false)};
  if (step_ == step::pause) read();
  co_return taken;
}

void event_stream::completed(bool ok) {
  if (abandoned_) return;
  if (step_ == step::finish) {
    step_ = step::over;
    changed_.notify_all();
    return;
  }
  if (!ok) return finish();
  if (step_ == step::read) keep();
  if (events_.size() < most_events)
    read();
  else
    step_ = step::pause;
}

void event_stream::read() {
  step_ = step::read;
  reader_->Read(&envelope_, tag(shared_from_this()));
}

void event_stream::finish() {
  step_ = step::finish;
  reader_->Finish(&status_, tag(shared_from_this()));
}

void event_stream::keep() {
  auto parsed = parse_event(envelope_.namespace_(), envelope_.topic(), envelope_.event().value());
  if (parsed) {
    auto& event = *parsed;
    if (!event) return;
    events_.push_back(std::move(*event));
  } else {
    base::log::throttled(unreadable_, base::log::level::warn, "containerd", "unreadable event, listing reason=\"{}\"",
                         parsed.error().message());
    lost_ = true;
  }
  changed_.notify_all();
}

}  // namespace containerd
