// tcp_listener: one listening socket, whose connections it deals out to the threads. Out of descriptors it leaves the
// socket's queue alone for a moment. In the loop's turns only.
#pragma once

#include <memory>

#include "base/unique_fd.hpp"
#include "relay/event_loop.hpp"
#include "relay/stream_target.hpp"

namespace relay {

class tcp_relay;

class tcp_listener : public event_handler {
 public:
  tcp_listener(tcp_relay& owner, base::unique_fd fd, const stream_target& target);
  ~tcp_listener() override;

  // Takes connections from now on. False: errno says why not.
  [[nodiscard]] bool watch();

  void on_event(unsigned which, std::uint32_t events) override;

 private:
  void pause(int error_number);

  tcp_relay& owner_;
  base::unique_fd fd_;
  stream_target target_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace relay
