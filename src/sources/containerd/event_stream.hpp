// event_stream: containerd's events as they come. Owned by containerd_client.
//
// Events that were not taken wait within the window of their HTTP/2 stream (64 KiB), which slows containerd down. The
// stream ends once, with an error, and is then of no further use.
#pragma once

#include <memory>
#include <string>

#include "async/task.hpp"
#include "base/episode.hpp"
#include "base/result.hpp"
#include "sources/containerd/grpc_connection.hpp"
#include "sources/containerd/records.hpp"

namespace containerd {

class event_stream {
 public:
  // Subscribes to the events of all namespaces.
  explicit event_stream(grpc_connection& engine);

  // The events that have come since the last call; waits for one. Fails if the stream has ended and all were taken.
  async::task<base::result<event_batch>> next();

 private:
  void keep(const std::string& message, event_batch& in);

  std::unique_ptr<grpc_call> call_;
  base::log::throttle unreadable_;
};

}  // namespace containerd
