// recording_feed: keeps the last snapshot or error of a source.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "ports/source.hpp"

namespace support {

struct recording_feed : ports::source_feed {
  void publish(ports::source_id, ports::snapshot now) override {
    last = std::move(now);
    trouble.reset();
    ++publications;
  }
  void degraded(ports::source_id, base::error why) override {
    trouble = std::move(why);
    ++troubles;
  }

  // The host ports of the last snapshot; nothing before the first one.
  [[nodiscard]] std::optional<std::set<std::uint16_t>> host_ports() const {
    if (!last) return std::nullopt;
    std::set<std::uint16_t> ports;
    for (const auto& b : last->bindings) ports.insert(b.host_port);
    return ports;
  }

  // Of the last snapshot, a line each: "OWNER: WHAT: WHY".
  [[nodiscard]] std::string refusals() const {
    std::string text;
    for (const auto& r : last.value().refusals) text += r.owner + ": " + r.what + ": " + r.why + "\n";
    return text;
  }

  std::optional<ports::snapshot> last;
  std::optional<base::error> trouble;
  unsigned troubles = 0;      // ever
  unsigned publications = 0;  // ever
};

}  // namespace support
