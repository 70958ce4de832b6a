#include "sources/engine/container.hpp"

#include <cstddef>
#include <string_view>
#include <utility>

#include "base/text.hpp"
#include "ports/owner_traits.hpp"

namespace engine {
namespace {

constexpr std::size_t max_refusals = 16;

}  // namespace

void container::refuse(std::string_view what, std::string_view why) {
  if (refusals.size() >= max_refusals) return;
  refusals.push_back({(name.empty() ? id : name).str(), base::printable(what), base::printable(why)});
}

void container::set_traits(ports::owner_traits traits) {
  if (bindings.empty()) return;
  const auto encoded = ports::encode_traits(std::move(traits));
  if (!encoded.complete) refuse("labels", "too long: port rules do not see all of them");
  for (auto& b : bindings) b.traits = encoded.text;
}

}  // namespace engine
