// name: a domain name (RFC 1035, 3.1) in wire format, in lower case, because names are compared without case. A value.
// Compressed names are not supported: in a question there is no earlier name to point to.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/address.hpp"
#include "netstack/bytes.hpp"

namespace netstack::dns {

class name {
 public:
  static constexpr std::size_t most_size = 255;  // with the root's zero
  static constexpr std::size_t most_label = 63;

  name() = default;  // the root

  // The name at the beginning of `bytes`. nullopt for a name that exceeds them, is too long, or contains a pointer.
  static std::optional<name> parse(bytes_view bytes);
  // "host.docker.internal", with or without a dot at the end. Only letters, digits, '-' and '_'.
  static std::optional<name> from_text(std::string_view text);

  [[nodiscard]] bool is_root() const { return wire_.size() == 1; }
  [[nodiscard]] bool is_within(const name& zone) const;  // or equal to it
  [[nodiscard]] std::size_t size() const { return wire_.size(); }
  // Labels with their lengths, and the final zero.
  [[nodiscard]] bytes_view wire() const;
  // The address in the name of a PTR question (RFC 1035, 3.5; RFC 3596, 2.5).
  [[nodiscard]] std::optional<net::address> reverse_address() const;

  auto operator<=>(const name&) const = default;

 private:
  std::string wire_ = std::string(1, '\0');
};

}  // namespace netstack::dns
