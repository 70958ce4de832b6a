// incoming_streams: connections of the virtual network to a service of the gateway's address, as the control thread
// accepts them. The data plane's thread adds them, the control thread takes them. No port of the host is involved: only
// the virtual network reaches such a service.
//
// At most `most` connections wait; further ones are refused.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>

#include "async/condition.hpp"
#include "base/unique_fd.hpp"
#include "os/acceptor.hpp"

namespace host_switch {

class incoming_streams {
 public:
  static constexpr std::size_t most = 128;

  explicit incoming_streams(const async::executor& where);

  // From any thread. False: too many wait.
  [[nodiscard]] bool add(base::unique_fd fd, const net::endpoint& client);
  // Accepts connections from here; one call at a time. It may outlive this object's owner.
  [[nodiscard]] std::unique_ptr<os::acceptor> acceptor() const;

 private:
  struct state;
  class taker;
  std::shared_ptr<state> state_;
};

}  // namespace host_switch
