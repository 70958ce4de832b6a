// The command line of vtunnel, and its manual page.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/go_flags.hpp"

namespace vtunnel {

enum class side : std::uint8_t { peer, host };

struct options {
  bool debug = false;
  std::string log_file;  // empty: stderr
  std::string config = "/etc/vtunnel.yaml";
  std::uint32_t cid = 0;
};

// "peer" or "host", the first word of the command line.
[[nodiscard]] std::optional<side> parse_side(std::string_view word);

// The flags of one side, or, without one, of the program itself. They fill `into`, which must outlive them.
[[nodiscard]] base::flag_set flags_for(options& into, std::optional<side> which);

}  // namespace vtunnel
