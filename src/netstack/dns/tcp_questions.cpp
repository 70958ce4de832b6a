#include "netstack/dns/tcp_questions.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "netstack/bytes.hpp"
#include "netstack/dns/query.hpp"

namespace netstack::dns {
namespace {

constexpr std::size_t size_of_length = 2;

}  // namespace

bool tcp_questions::add(bytes_view bytes) {
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(taken_));
  taken_ = 0;
  if (broken_ || buffer_.size() + bytes.size() > 2 * (size_of_length + most_message)) return false;
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  return true;
}

std::optional<bytes_view> tcp_questions::next() {
  const auto rest = bytes_view(buffer_).subspan(taken_);
  if (broken_ || rest.size() < size_of_length) return std::nullopt;
  const std::size_t size = load_16(rest, 0);
  broken_ = size < header_size || size > most_message;
  if (broken_ || rest.size() < size_of_length + size) return std::nullopt;
  taken_ += size_of_length + size;
  return rest.subspan(size_of_length, size);
}

std::vector<std::uint8_t> with_length(bytes_view answer) {
  std::vector<std::uint8_t> framed(size_of_length);
  store_16(framed, 0, static_cast<std::uint16_t>(answer.size()));
  framed.insert(framed.end(), answer.begin(), answer.end());
  return framed;
}

}  // namespace netstack::dns
