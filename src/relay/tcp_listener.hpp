// tcp_listener: one listening socket, whose connections it dispatches to the threads. It resets a connection beyond the
// port's share of the descriptors, or from a client that may not connect. Out of descriptors, it pauses for a moment.
// In the loop's turns only.
#pragma once

#include <memory>

#include "base/unique_fd.hpp"
#include "os/event_loop.hpp"
#include "relay/port_share.hpp"
#include "relay/stream_target.hpp"

namespace relay {

class tcp_relay;

class tcp_listener : public os::event_handler {
 public:
  tcp_listener(tcp_relay& owner, base::unique_fd fd, const stream_target& target, admission admit,
               std::shared_ptr<port_traffic> traffic);
  ~tcp_listener() override;

  // Begins to accept. False: see errno.
  [[nodiscard]] bool watch();

  void on_event(unsigned which, std::uint32_t events) override;

 private:
  void take(base::unique_fd client, const net::socket_address& from);
  void refuse(base::unique_fd client, const char* why);
  void pause(int error_number);

  tcp_relay& owner_;
  base::unique_fd fd_;
  stream_target target_;
  admission admit_;
  std::shared_ptr<port_share> share_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace relay
