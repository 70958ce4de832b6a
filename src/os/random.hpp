// random: bytes that no other program can predict.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.hpp"

namespace os {

// Waits while the kernel has not enough entropy yet, which is early after its start alone. An error: the kernel
// refuses, as a seccomp filter makes it; the bytes are not to be used.
[[nodiscard]] base::result<> fill_with_random(std::span<std::uint8_t> bytes);

}  // namespace os
