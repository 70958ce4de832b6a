// link_source: provides the data connections, one after the other, as -connect says: from the handshake over virtual
// sockets (the default) or UNIX sockets, from a UNIX socket where host-switch listens, or an open descriptor. Owned by
// network_setup; control thread.
#pragma once

#include <optional>

#include "async/task.hpp"
#include "base/episode.hpp"
#include "base/result.hpp"
#include "link/handshake/vm_side.hpp"
#include "link/link_url.hpp"

namespace network_setup {

class link_source {
 public:
  // Fails for a kind of link that vm-switch does not support.
  static base::result<link_source> open(const async::executor& where, const links::link_url& url);

  // Waits for the next one. An error is final. Over a UNIX socket it always asks for offload: a host that does not know
  // offload drops the request. Cancelled: throws operation_aborted.
  async::task<base::result<handshake::data_connection>> next();

 private:
  link_source(const async::executor& where, const links::link_url& url);
  async::task<handshake::data_connection> connect();

  links::link_url url_;
  std::optional<handshake::vm_side> meeting_;
  bool used_ = false;  // the descriptor has been returned
  base::log::episode trouble_;
};

}  // namespace network_setup
