// completion_thread: the bridge between gRPC and the control thread. gRPC completes an operation in a queue; a thread
// waits for that and posts the operation to the control thread, where all of its state is. Owned by containerd_client.
//
//   control thread   begin a step with tag(operation)          completed(ok)
//   gRPC                          └─▶ does it ─▶ queue ─┐         ▲
//   completion thread                                   └─ Next() ┘ post
#pragma once

#include <grpcpp/completion_queue.h>

#include <memory>
#include <thread>

#include "async/task.hpp"

namespace containerd {

// A step that gRPC carries out. It holds itself while gRPC has its tag, so that what gRPC writes into stays alive.
class operation {
 public:
  operation() = default;
  operation(const operation&) = delete;
  operation& operator=(const operation&) = delete;
  virtual ~operation() = default;

  // On the control thread, unless its loop has ended before.
  virtual void completed(bool ok) = 0;

  // The tag for the next step, to be handed to gRPC.
  static void* tag(const std::shared_ptr<operation>& o) {
    o->self_ = o;
    return o.get();
  }
  // Takes the operation back from gRPC: the step is over.
  static std::shared_ptr<operation> untag(void* tag) { return std::move(static_cast<operation*>(tag)->self_); }

 private:
  std::shared_ptr<operation> self_;
};

class completion_thread {
 public:
  explicit completion_thread(const async::executor& where);
  completion_thread(const completion_thread&) = delete;
  completion_thread& operator=(const completion_thread&) = delete;
  // Waits for gRPC to return every tag. Before that, all operations are cancelled or over, and none begins any more.
  ~completion_thread();

  grpc::CompletionQueue& queue() { return queue_; }

 private:
  void run(const async::executor& where);

  grpc::CompletionQueue queue_;
  std::thread thread_;
};

}  // namespace containerd
