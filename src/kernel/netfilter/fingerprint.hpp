// fingerprint: a number that almost always differs when bytes differ. It detects changes; it is not cryptographic.
#pragma once

#include <cstdint>

#include "kernel/netlink/attributes.hpp"

namespace netfilter {

// FNV-1a, eight bytes at a time.
class fingerprint {
 public:
  fingerprint() = default;
  explicit fingerprint(std::uint64_t continued) : value_(continued) {}

  void add(netlink::bytes_view bytes) {
    for (; bytes.size() >= sizeof(std::uint64_t); bytes = bytes.subspan(sizeof(std::uint64_t)))
      add(netlink::read<std::uint64_t>(bytes).value_or(0));
    for (const auto b : bytes) add(std::to_integer<std::uint64_t>(b));
  }
  void add(std::uint64_t number) { value_ = (value_ ^ number) * 0x100000001b3; }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325;
};

}  // namespace netfilter
