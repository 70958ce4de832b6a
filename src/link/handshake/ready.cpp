#include "link/handshake/ready.hpp"

#include <algorithm>
#include <string>
#include <string_view>

#include "base/text.hpp"

namespace handshake {
namespace {

constexpr std::string_view ready = "READY";
constexpr std::string_view offload = "offload=1";

}  // namespace

std::string ready_message(bool offers_offload) {
  return std::string(ready) + (offers_offload ? " " + std::string(offload) + "\n" : "");
}

ready_reader::state ready_reader::feed(std::string_view bytes) {
  text_ += bytes.substr(0, longest_answer - text_.size());
  const auto known = std::min(text_.size(), ready.size());
  if (text_.compare(0, known, ready, 0, known) != 0) return state::wrong;
  if (text_.size() < ready.size()) return state::reading;
  const bool ended = text_.find('\n') != std::string::npos || text_.size() == longest_answer;
  return ended ? state::complete : state::ready;
}

bool ready_reader::offers_offload() const {
  const auto end = text_.find('\n');
  if (end == std::string::npos || end < ready.size()) return false;
  const auto words = base::split(std::string_view(text_).substr(ready.size(), end - ready.size()), ' ');
  return std::ranges::find(words, offload) != words.end();
}

}  // namespace handshake
