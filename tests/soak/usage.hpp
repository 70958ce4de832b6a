// usage: what the programs under a soak use, compared with what they used at its first pause: memory, descriptors,
// threads, bytes of logs.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <vector>

#include "tests/soak/arena.hpp"
#include "tests/soak/bounds.hpp"
#include "tests/soak/tally.hpp"

namespace soak {

class usage {
 public:
  usage(arena& where, bool debug) : arena_(where), debug_(debug) {}

  // The programs that do not run. One that was killed is started again within seconds.
  [[nodiscard]] std::vector<difference> stopped() const;
  // Reads all, notes the peaks, and compares. The first call sets the standard.
  [[nodiscard]] std::vector<difference> compare(std::size_t ports, std::size_t operations,
                                                std::chrono::milliseconds since_last, tally& to);

 private:
  void compare_process(part which, std::size_t ports, tally& to, std::vector<difference>& found);
  void compare_log(part which, std::size_t operations, std::chrono::milliseconds since_last,
                   std::vector<difference>& found);

  arena& arena_;
  bool debug_;
  std::map<part, reading> first_;
  std::map<part, std::size_t> log_bytes_;
};

}  // namespace soak
