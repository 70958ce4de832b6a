// owner_memo: remembers which of the loose rules match a container or Service, because it often has several ports.
// Lives for one batch of subjects. Holds 1,024 owners at most, then begins anew.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "rules/conditions.hpp"
#include "rules/rule.hpp"

namespace rules {

class owner_memo {
 public:
  static constexpr std::size_t most = 1024;

  // Those of `loose`, which is the same in all calls for an owner, whose conditions on the owner match. Valid until the
  // next call.
  [[nodiscard]] std::span<const std::uint32_t> matching(std::span<const rule> all, std::span<const std::uint32_t> loose,
                                                        const subject& s);
  [[nodiscard]] std::size_t examined() const { return examined_; }  // rules, in all calls

 private:
  std::unordered_map<std::string, std::vector<std::uint32_t>> owners_;
  std::size_t examined_ = 0;
};

}  // namespace rules
