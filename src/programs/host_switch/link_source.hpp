// link_source: provides the data plane with the links of one -listen, one after the other, as long as host-switch runs.
// When a link ends, the next one arrives the same way: by accept() on the same socket, or by a new handshake. A UNIX
// path accepts several VMs at a time; fd:// has exactly one link.
//
// A VM may end each link at once. After a link that lived shortly the source pauses, up to a second, and the lines of
// its log are counted instead of written. On a UNIX path each newcomer has its own task, so that one whose request does
// not end delays no other; of more than most_newcomers the oldest is closed. A link beyond the data plane's bound is
// closed at once, unless a link of a UNIX path gives its place up: one whose peer has sent no frame (link_ports.hpp).
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/task.hpp"
#include "async/task_group.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "link/link_url.hpp"
#include "os/acceptor.hpp"
#include "os/claimed_unix_path.hpp"
#include "translator/translator.hpp"

namespace host_switch {

class link_source {
 public:
  // Whether each fd:// among `all` names another inherited socket. Call it before the program opens sockets of its own:
  // they would pass for inherited ones.
  static base::result<> check_descriptors(const std::vector<links::link_url>& all);

  static constexpr std::size_t most_newcomers = 64;  // whose first bytes have not arrived

  // Opens everything that can be opened in advance; `to` outlives it.
  static base::result<link_source> open(links::link_url url, translator::translator& to);

  link_source(link_source&&) noexcept = default;
  // Runs until cancelled.
  async::task<> serve();
  [[nodiscard]] std::string name() const { return links::to_string(url_); }

 private:
  struct lines;
  link_source(links::link_url url, translator::translator& to);

  async::task<> serve_listener();
  async::task<> accept_links(os::acceptor* from, async::task_group* greetings);
  void make_room_for_a_newcomer();
  async::task<> greet(std::shared_ptr<base::unique_fd> newcomer);
  async::task<> serve_handshakes();
  async::task<> serve_datagrams();
  async::task<> serve_descriptor();
  // What the data plane calls at the end of a link: runs `over` on `where`.
  [[nodiscard]] std::function<void(base::error)> announce(const async::executor& where,
                                                          std::function<void()> over) const;
  // Returns whether the data plane has taken the link; otherwise it is closed.
  bool add(translator::any_link link, translator::silence of_peer, const async::executor& where,
           std::function<void()> over);
  // As one of many links of a UNIX path.
  void add_peer(base::unique_fd peer, const async::executor& where);
  // Adds the link, waits for its end, and pauses if it lived shortly.
  async::task<> carry(translator::any_link link);

  links::link_url url_;
  translator::translator* to_;
  std::unique_ptr<os::claimed_unix_path> listener_;
  std::shared_ptr<lines> lines_;                            // also of callbacks that are under way
  unsigned short_links_ = 0;                                // in a row
  std::deque<std::shared_ptr<base::unique_fd>> newcomers_;  // the oldest first
};

}  // namespace host_switch
