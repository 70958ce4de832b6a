#include "link/framing.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <system_error>

#include "base/result.hpp"
#include "netstack/bytes.hpp"

namespace links {
namespace {

std::size_t load_length(framing how, bytes_view from) {
  if (how == framing::stdio) return static_cast<std::size_t>(from[0] | from[1] << 8U);
  return netstack::load_32(from, 0);
}

// Bounds on the length after a prefix.
std::size_t least_length(framing how) { return how == framing::virtio ? virtio_header_size : 0; }
std::size_t most_length(framing how) { return largest_frame(how) + least_length(how); }

}  // namespace

prefix make_prefix(framing how, std::size_t length) {
  prefix made;
  made.size = prefix_size(how);
  if (how == framing::stdio)
    made.bytes = {static_cast<std::uint8_t>(length), static_cast<std::uint8_t>(length >> 8U)};
  else
    netstack::store_32(made.bytes, 0, static_cast<std::uint32_t>(length));
  return made;
}

frame_reader::frame_reader(framing how, std::size_t capacity)
    : how_(how),
      capacity_(std::max(capacity, largest_prefix + most_length(framing::virtio) + 1)),
      buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(capacity_)) {}

bytes_span frame_reader::room() {
  if (begin_ > 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return {buffer_.get() + end_, capacity_ - end_};
}

base::result<std::optional<received_frame>> frame_reader::next() {
  const bytes_view waiting(buffer_.get() + begin_, end_ - begin_);
  const auto before = prefix_size(how_);
  if (waiting.size() < before) return std::nullopt;
  const auto length = load_length(how_, waiting);
  if (length < least_length(how_) || length > most_length(how_))
    return base::fail(std::errc::protocol_error, "a frame of " + std::to_string(length) + " bytes on the link");
  if (waiting.size() - before < length) return std::nullopt;
  begin_ += before + length;
  const auto header = least_length(how_);
  const auto body = waiting.subspan(before, length);
  return received_frame{body.first(header), body.subspan(header)};
}

}  // namespace links
