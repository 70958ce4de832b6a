// veth_pair: the two interfaces between the default namespace (veth-rd-wsl, 192.168.143.2) and the engine's
// (veth-rd-ns, 192.168.143.1). Other WSL distributions reach the engine's ports through them (wsl-proxy).
#pragma once

#include "async/task.hpp"
#include "base/episode.hpp"
#include "base/result.hpp"

namespace network_setup {

// Removes a left-over pair first. On success both interfaces are up and have their addresses.
base::result<> make_veth_pair(int engine_namespace);
// Removing a pair that does not exist succeeds.
base::result<> remove_veth_pair();

// Makes the pair again when another program has removed it. Owned by network_setup; control thread. A failure is
// logged, and tried again after a pause, which grows while the pair does not last.
class veth_keeper {
 public:
  // `engine_namespace` must stay open for the lifetime of this object.
  explicit veth_keeper(int engine_namespace)
      : engine_namespace_(engine_namespace), trouble_("network-setup", "cannot make the interfaces") {}

  // Watches the pair from its first step on. Cancelled: throws operation_aborted.
  async::task<> run(async::executor where);
  // From now on the pair may go.
  void let_go() { keeps_ = false; }

 private:
  bool restore();

  int engine_namespace_;
  bool keeps_ = true;
  base::log::episode trouble_;
  base::log::throttle removals_;
};

}  // namespace network_setup
