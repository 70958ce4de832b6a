#include "sources/engine/container.hpp"

#include <cstddef>
#include <string_view>

#include "base/text.hpp"

namespace engine {
namespace {

constexpr std::size_t max_refusals = 16;

}  // namespace

void container::refuse(std::string_view what, std::string_view why) {
  if (refusals.size() >= max_refusals) return;
  refusals.push_back({name.empty() ? id : name, base::printable(what), base::printable(why)});
}

}  // namespace engine
