// message_fields: the fields of a message of containerd's API, one by one. Pure.
#pragma once

#include <cstdint>
#include <protozero/pbf_reader.hpp>
#include <string_view>

#include "base/result.hpp"

namespace containerd {

// One of the two kinds that are used here: a text, bytes or another message; or a number.
struct message_field {
  std::uint32_t number = 0;
  bool is_text = false;
  std::string_view text{};
  std::uint64_t value = 0;
};

// Calls visit(field) for each field of those kinds, in their order. Fails on damaged bytes, perhaps after some calls.
template <class Visit>
base::result<> visit_fields(std::string_view message, Visit visit) {
  try {
    protozero::pbf_reader reader(message.data(), message.size());
    while (reader.next()) {
      const auto number = reader.tag();  // gone once the value was read
      if (reader.wire_type() == protozero::pbf_wire_type::length_delimited) {
        const auto bytes = reader.get_view();
        visit(message_field{.number = number, .is_text = true, .text = {bytes.data(), bytes.size()}});
      } else if (reader.wire_type() == protozero::pbf_wire_type::varint) {
        visit(message_field{.number = number, .value = reader.get_uint64()});
      } else {
        reader.skip();
      }
    }
    return {};
  } catch (const protozero::exception&) {
    return base::fail("a damaged message");
  }
}

}  // namespace containerd
