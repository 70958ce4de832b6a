// changes: what happened between two status documents, as events. Pure.
//
// The events of a port are
//   exposed    every peer that should have it has it
//   withdrawn  it was exposed, and is closed or about to be opened no more
//   conflict   a peer reports that the port is in use
//   resolved   it was in conflict, and is exposed or no longer published
// A state that is not known is no event: while a peer is down, or a port is about to be requested, the last event stays
// true. So a restart of the agent that leaves a port open is no event either. Which container a port belongs to is not
// looked at: a port that another container takes over between two documents stays exposed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "protocols/status_document/document.hpp"

namespace guestagentctl {

enum class change_kind : std::uint8_t { exposed, withdrawn, conflict, resolved };

struct change {
  change_kind what = change_kind::exposed;
  status_document::port port{};  // as it is now; of one that is gone as it was
  std::string peer{};            // of a conflict: the first peer that reports it
  std::string reason{};          // of a conflict, and of a port that is withdrawn and still published
};

class change_log {
 public:
  // The changes since the last document; after the first one everything that is open or in conflict.
  [[nodiscard]] std::vector<change> compare(const status_document::document& now);

 private:
  using key = std::tuple<std::string, std::string, std::uint16_t>;  // protocol, address, number
  struct known_port {
    status_document::port last;
    bool exposed = false;
    bool conflict = false;
  };
  void update(known_port& known, const status_document::port& now, std::vector<change>& changes);
  static void end(const known_port& known, std::vector<change>& changes, const status_document::port* now);

  std::map<key, known_port> known_;  // the ports of the last document that peers should have, or may still have
};

// One JSON object in one line, without its newline. `time` is the document's.
[[nodiscard]] std::string to_json(const change& c, std::string_view time);

}  // namespace guestagentctl
