// name: a domain name (RFC 1035, 3.1) in the form that messages carry, in lower case: names are compared without case.
// A value. Compressed names are not read: the questions that a server is asked have none to point to.
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

  // The name at the begin of `bytes`. Nothing for a name that they do not hold, that is too long, and for a pointer.
  static std::optional<name> parse(bytes_view bytes);
  // "host.docker.internal", with or without a dot at the end. Letters, digits, '-' and '_' alone.
  static std::optional<name> from_text(std::string_view text);

  [[nodiscard]] bool is_root() const { return wire_.size() == 1; }
  [[nodiscard]] bool is_within(const name& zone) const;  // or equal to it
  [[nodiscard]] std::size_t size() const { return wire_.size(); }
  // Labels with their lengths, and a zero.
  [[nodiscard]] bytes_view wire() const;
  // The address that a question for the name's PTR records means (RFC 1035, 3.5; RFC 3596, 2.5).
  [[nodiscard]] std::optional<net::address> reverse_address() const;

  auto operator<=>(const name&) const = default;

 private:
  std::string wire_ = std::string(1, '\0');
};

}  // namespace netstack::dns
