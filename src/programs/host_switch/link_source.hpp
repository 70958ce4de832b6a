// link_source: brings the links of one -listen to the data plane, one after the other, for as long as host-switch runs.
// When a link ends, the next one comes the same way: by accept() on the same socket, or by a new handshake. A UNIX path
// takes several VMs at a time; fd:// has one link, and none after it.
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
  // Opens what can be opened at once; `to` outlives it.
  static base::result<link_source> open(links::link_url url, translator::translator& to);

  link_source(link_source&&) = default;
  // Runs until cancelled.
  async::task<> serve();
  [[nodiscard]] std::string name() const { return links::to_string(url_); }

 private:
  link_source(links::link_url url, translator::translator& to) : url_(std::move(url)), to_(&to) {}

  async::task<> serve_listener();
  async::task<> serve_handshakes();
  async::task<> serve_datagrams();
  async::task<> serve_descriptor();
  // Adds the link; waits for its end if `waits`.
  async::task<> carry(translator::any_link link, bool waits);

  links::link_url url_;
  translator::translator* to_;
  std::optional<os::unix_listener> listener_;
};

}  // namespace host_switch
