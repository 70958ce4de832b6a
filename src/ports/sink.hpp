// sink: a peer that holds forwards (host-switch, wsl-proxy, the loopback rules …), as its reconciler sees it. It lists
// what it holds, adds and removes forwards, and reports when it may have been restarted.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "base/shared_text.hpp"
#include "ports/binding.hpp"
#include "ports/source_id.hpp"

namespace ports {

// What is to be held under a key. Two forwards with one key and different values replace each other: remove, then add.
struct forward {
  port_key key{};
  std::uint16_t container_port = 0;
  source_id source{};         // who claims it; not part of what the peer holds
  base::shared_text owner{};  // for comments and the status; not part of what the peer holds
  // How it is served inside the VM, for the loopback sink; not part of what the peer holds.
  serving served = serving::rule_and_proxy;
  // An addition waits until then: the port is not served inside the VM before. What is held already is not touched.
  std::chrono::steady_clock::time_point not_before{};
  std::uint16_t remapped_from = 0;  // the port inside the VM where it is another than the key's; 0: the same

  [[nodiscard]] std::uint16_t port_inside() const { return remapped_from == 0 ? key.port : remapped_from; }

  // Is what the peer holds already what this asks for? The policy leaves empty what a peer does not hold (host-switch
  // knows no container port) and what it does not know: then anything will do.
  [[nodiscard]] bool served_by(const forward& held) const {
    const bool port = container_port == held.container_port || container_port == 0 || held.container_port == 0;
    return key == held.key && port && port_inside() == held.port_inside() && (owner == held.owner || owner.empty());
  }
  bool operator==(const forward&) const = default;
};

enum class verb : std::uint8_t { add, remove };

struct operation {
  verb what = verb::add;
  forward target;
};

enum class outcome_kind : std::uint8_t {
  done,      // the peer said so, or it was so already
  conflict,  // add: another program holds it on the peer; shown with the peer's words, tried again
  exists,    // add: the peer says that it holds this already: list again to learn whose it is
  refused,   // the peer will not do it, whatever the time; tried again slowly
  unknown,   // no answer, or the connection was lost: it may have happened or not
  unsent,    // the request did not leave the agent: nothing has happened
};

[[nodiscard]] std::string_view to_string(outcome_kind kind);

struct outcome {
  outcome_kind kind = outcome_kind::done;
  std::string reason{};                          // the peer's words, or the error's
  std::chrono::steady_clock::time_point sent{};  // when the request had left, if the sink knows
};

// One forward that the peer holds. `exact`: it leads to this VM, as all that the agent makes. `remapped_from` as in
// forward. `container_port` and `owner` if the peer knows them. If it does not (0 and empty), they count as what is
// wanted.
struct held_forward {
  port_key key{};
  bool exact = true;
  std::uint16_t container_port = 0;
  std::string owner{};
  std::uint16_t remapped_from = 0;
};

// What a peer answered to "what do you hold". A peer that cannot be asked (wsl-proxy) answers `complete = false` and no
// forwards: then what was applied is sent again if `identity` differs from the last one, and additions must be
// idempotent.
struct peer_state {
  std::string identity;  // differs after a restart if the peer can say so; may be empty
  bool complete = true;
  std::vector<held_forward> held;
  bool repeat = false;  // of one that cannot be asked: what was applied is to be sent again, to the same one
};

struct sink_traits {
  unsigned workers = 1;           // apply() calls under way at one time
  unsigned batch = 1;             // operations in one apply() call
  bool shared = true;             // others may hold forwards there too: only what the journal says is ours is removed
  bool announces_return = false;  // changed() also returns when a peer that is down comes up: it need not be polled
  bool hints_return = false;      // changed() may do so; the peer is polled as well
};

class sink {
 public:
  virtual ~sink() = default;
  // "host-switch": in the status, the log, the journal's file name.
  [[nodiscard]] virtual std::string_view name() const = 0;
  [[nodiscard]] virtual sink_traits traits() const = 0;

  // Why it serves its ports in another way than it should; empty: it does not. The status then shows the peer as
  // degraded. Valid until the next call of a function below.
  [[nodiscard]] virtual std::string_view limitation() const { return {}; }

  // Asks the peer what it holds. An error: the peer is down (refused, no answer before the sink's own deadline …).
  virtual async::task<base::result<peer_state>> list() = 0;

  // Does the operations (one for each key at most), removals first, and answers one outcome each, in their order. Has
  // its own deadline; never throws for what the peer does. After an `unknown` outcome the rest of a batch is `unsent`;
  // either makes the reconciler list again.
  virtual async::task<std::vector<outcome>> apply(std::vector<operation> batch) = 0;

  // Returns when the peer may have been restarted or changed since the last successful list(); the reconciler lists
  // again.
  virtual async::task<> changed() = 0;

  // The agent stops: called once after the removals, within the stop's deadline. Takes back what is not a forward
  // (the loopback sink's rules, route_localnet).
  virtual async::task<> close() = 0;
};

}  // namespace ports
