#include "programs/host_switch/incoming_streams.hpp"

#include <boost/asio/post.hpp>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "async/task.hpp"
#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"
#include "os/acceptor.hpp"

namespace host_switch {

struct incoming_streams::state {
  explicit state(const async::executor& e) : where(e), arrived(e) {}

  async::executor where;
  async::condition arrived;  // control thread only
  std::mutex lock;
  std::deque<os::accepted> waiting;
};

class incoming_streams::taker final : public os::acceptor {
 public:
  explicit taker(std::shared_ptr<state> from) : from_(std::move(from)) {}

  async::task<os::accepted> accept() override {
    co_await async::yield();
    while (true) {
      if (auto next = take()) co_return std::move(*next);
      co_await from_->arrived.wait();
    }
  }

 private:
  std::optional<os::accepted> take() {
    const std::lock_guard hold(from_->lock);
    if (from_->waiting.empty()) return std::nullopt;
    auto next = std::move(from_->waiting.front());
    from_->waiting.pop_front();
    return next;
  }

  std::shared_ptr<state> from_;
};

incoming_streams::incoming_streams(const async::executor& where) : state_(std::make_shared<state>(where)) {}

bool incoming_streams::add(base::unique_fd fd, const net::endpoint& client) {
  {
    const std::lock_guard hold(state_->lock);
    if (state_->waiting.size() >= most) return false;
    state_->waiting.push_back({std::move(fd), client});
  }
  async::asio::post(state_->where, [state = state_] { state->arrived.notify_all(); });
  return true;
}

std::unique_ptr<os::acceptor> incoming_streams::acceptor() const { return std::make_unique<taker>(state_); }

}  // namespace host_switch
