// owner_traits: what port rules may ask about the owner of a port: name, namespace, image and labels. One text, which
// all ports of an owner share: most owners have few labels, and most agents no rules. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "base/shared_text.hpp"
#include "rules/conditions.hpp"

namespace ports {

struct owner_traits {
  std::string_view name{};             // of the container or Service alone; empty: unknown, or there is none
  std::string_view space{};            // containerd's or Kubernetes' namespace; empty: the engine has none
  std::string_view image{};            // as the engine names it; empty: unknown, or there is none
  std::vector<rules::label> labels{};  // those for ports first, then by key
  bool complete = true;                // false: something is missing, mostly labels
};

// What does not fit is left out, labels for ports last.
inline constexpr std::size_t max_traits_bytes = 8'192;

struct encoded_traits {
  base::shared_text text;  // empty where nothing is known
  bool complete = true;    // false: as in the traits, or something was left out that is too long or has a zero byte
};
[[nodiscard]] encoded_traits encode_traits(owner_traits traits);
// The views lead into `text`. Total: any text gives some traits.
[[nodiscard]] owner_traits decode_traits(const base::shared_text& text);

}  // namespace ports
