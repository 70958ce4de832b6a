// Standard base64 with padding, the format of certificates in kubeconfigs. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace kubernetes {

// White space in the text is skipped.
[[nodiscard]] base::result<std::string> decode_base64(std::string_view text);

}  // namespace kubernetes
