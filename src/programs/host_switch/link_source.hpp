// link_source: provides the data plane with the links of one -listen, one after the other, as long as host-switch runs.
// When a link ends, the next one arrives the same way: by accept() on the same socket, or by a new handshake. A UNIX
// path accepts several VMs at a time; fd:// has exactly one link.
#pragma once

#include <memory>
#include <string>

#include "async/task.hpp"
#include "base/result.hpp"
#include "link/link_url.hpp"
#include "os/unix_listener.hpp"
#include "translator/translator.hpp"

namespace host_switch {

class link_source {
 public:
  // Opens everything that can be opened in advance; `to` outlives it.
  static base::result<link_source> open(links::link_url url, translator::translator& to);

  link_source(link_source&&) = default;
  // Runs until cancelled.
  async::task<> serve();
  [[nodiscard]] std::string name() const { return links::to_string(url_); }

 private:
  link_source(links::link_url url, translator::translator& to) : url_(std::move(url)), to_(&to) {}

  async::task<> serve_listener();
  async::task<> serve_handshakes();
  async::task<base::unique_fd> bind_in_time();
  async::task<> serve_datagrams();
  async::task<> serve_descriptor();
  // Adds the link; waits for its end if `waits`.
  async::task<> carry(translator::any_link link, bool waits);

  links::link_url url_;
  translator::translator* to_;
  std::unique_ptr<os::unix_listener> listener_;
};

}  // namespace host_switch
