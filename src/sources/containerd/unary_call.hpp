// unary_call: one request to containerd and its answer, as a task of the control thread. Shared by the task that waits
// and gRPC, which may finish later than the task.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/async_unary_call.h>

#include <memory>

#include "async/condition.hpp"
#include "sources/containerd/completion_thread.hpp"

namespace containerd {

template <class Response>
class unary_call : public operation {
 public:
  explicit unary_call(const async::executor& where) : ended_(where) {}

  // Sends the request; `prepare` is a method of the service's stub.
  template <class Stub, class Request>
  static void start(const std::shared_ptr<unary_call>& call, Stub& stub,
                    std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> (Stub::*prepare)(grpc::ClientContext*,
                                                                                                const Request&,
                                                                                                grpc::CompletionQueue*),
                    const Request& request, grpc::CompletionQueue& queue) {
    call->reader_ = (stub.*prepare)(&call->context, request, &queue);
    call->reader_->StartCall();
    call->reader_->Finish(&call->response, &call->status, tag(call));
  }
  // Returns when the call is over. Cancelled: cancels the call as well, and does not wait for its end.
  async::task<> wait() {
    const canceller leaving{*this};
    while (!over_) co_await ended_.wait();
  }
  void completed(bool /*ok*/) override {
    over_ = true;
    ended_.notify_all();
  }

  grpc::ClientContext context;  // set deadline and metadata before start()
  Response response;            // read both after wait()
  grpc::Status status;

 private:
  struct canceller {
    unary_call& one;
    ~canceller() {
      if (!one.over_) one.context.TryCancel();
    }
  };
  std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader_;
  async::condition ended_;
  bool over_ = false;
};

}  // namespace containerd
