#include "sources/containerd/completion_thread.hpp"

#include <boost/asio/post.hpp>

#include "async/task.hpp"

namespace containerd {

completion_thread::completion_thread(const async::executor& where) : thread_([this, where] { run(where); }) {}

completion_thread::~completion_thread() {
  queue_.Shutdown();
  thread_.join();
}

void completion_thread::run(const async::executor& where) {
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) boost::asio::post(where, [o = operation::untag(tag), ok] { o->completed(ok); });
}

}  // namespace containerd
