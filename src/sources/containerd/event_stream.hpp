// event_stream: containerd's events as they come. Owned by containerd_client, and by gRPC while a step is under way.
//
//   start ─▶ read ⇄ pause        read ─▶ finish ─▶ over
//
// While many events wait to be taken no more are read, which slows containerd down: `pause`. The stream ends once, with
// an error, and is then of no further use.
#pragma once

#include <events.grpc.pb.h>

#include <memory>
#include <vector>

#include "async/condition.hpp"
#include "base/episode.hpp"
#include "sources/containerd/completion_thread.hpp"
#include "sources/containerd/records.hpp"

namespace containerd {

class event_stream : public operation, public std::enable_shared_from_this<event_stream> {
 public:
  explicit event_stream(const async::executor& where) : changed_(where) {}

  void start(services::events::v1::Events::Stub& stub, grpc::CompletionQueue& queue);
  // Cancels the stream; no further step begins.
  void abandon();
  // Waits for an event. Fails if the stream has ended and all events were taken.
  async::task<base::result<event_batch>> next();

  void completed(bool ok) override;

 private:
  enum class step : std::uint8_t { start, read, pause, finish, over };

  void read();
  void finish();
  void keep();

  async::condition changed_;
  grpc::ClientContext context_;
  services::events::v1::Envelope envelope_;
  grpc::Status status_;
  std::unique_ptr<grpc::ClientAsyncReader<services::events::v1::Envelope>> reader_;
  std::vector<engine_event> events_;
  bool lost_ = false;  // an event was unreadable
  base::log::throttle unreadable_;
  step step_ = step::start;
  bool abandoned_ = false;
};

}  // namespace containerd
