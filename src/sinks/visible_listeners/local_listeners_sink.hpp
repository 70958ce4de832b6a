// local_listeners_sink: a listening TCP socket for each port that is published by rules alone. WSL's own localhost
// relay forwards the ports on which it sees a listening socket. Connections do not reach the socket, as the rules
// redirect them first; one that arrives just after its rules have gone is closed at once.
//
// The peer is this process itself: nothing outlives it, and no other program holds forwards there.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <map>
#include <vector>

#include "async/condition.hpp"
#include "async/task_group.hpp"
#include "base/episode.hpp"
#include "base/unique_fd.hpp"
#include "ports/sink.hpp"

namespace visible_listeners {

class local_listeners_sink final : public ports::sink {
 public:
  // Throws std::system_error if epoll is not available. Listens in the calling thread's network namespace.
  explicit local_listeners_sink(const async::executor& where);

  [[nodiscard]] std::string_view name() const override { return "local-listeners"; }
  [[nodiscard]] ports::sink_traits traits() const override { return {.workers = 1, .batch = 256, .shared = false}; }

  async::task<base::result<ports::peer_state>> list() override;
  async::task<std::vector<ports::outcome>> apply(std::vector<ports::operation> batch) override;
  async::task<> changed() override;  // never returns
  // Closes all sockets. Later operations have no effect.
  async::task<> close() override;

 private:
  [[nodiscard]] ports::outcome apply_one(const ports::operation& op);
  [[nodiscard]] ports::outcome listen(const ports::port_key& key);
  async::task<> close_connections();

  async::asio::posix::stream_descriptor ready_;  // an epoll of the sockets
  std::map<ports::port_key, base::unique_fd> open_;
  async::condition never_;
  bool closed_ = false;
  base::log::episode trouble_{"local-listeners", "accept failed"};
  async::task_group tasks_;
};

}  // namespace visible_listeners
