// A stream of frames in each framing, in pieces whose length the second byte gives: frames are the same and in the same
// order in any pieces. The first byte chooses the framing and whether it changes on the way.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "link/framing.hpp"
#include "link/offload_agreement.hpp"

using namespace links;

namespace {

struct outcome {
  std::vector<std::vector<std::uint8_t>> frames;
  bool broken = false;
  bool operator==(const outcome&) const = default;
};

// Takes all frames that are whole; false after a length that lies.
bool take_frames(frame_reader& reader, bool changes, outcome& found) {
  while (true) {
    const auto next = reader.next();
    if (!next) return found.broken = true, false;
    if (!*next) return true;
    const auto& frame = (*next)->frame;
    if (frame.size() > largest_frame(reader.how())) std::abort();
    found.frames.emplace_back(frame.begin(), frame.end());
    if (changes && parse_marker(frame)) reader.switch_to(framing::virtio);
  }
}

outcome read_all(framing how, bool changes, bytes_view stream, std::size_t piece) {
  outcome found;
  frame_reader reader(how, 1);
  while (!stream.empty()) {
    const auto room = reader.room();
    if (room.empty()) std::abort();
    const auto count = std::min({piece, room.size(), stream.size()});
    std::ranges::copy(stream.first(count), room.begin());
    reader.added(count);
    stream = stream.subspan(count);
    if (!take_frames(reader, changes, found)) break;
  }
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto how = static_cast<framing>(data[0] % 3);
  const bool changes = (data[0] & 0x80U) != 0;
  const bytes_view stream(data + 2, size - 2);
  const auto whole = read_all(how, changes, stream, size);
  if (read_all(how, changes, stream, std::max<std::size_t>(1, data[1])) != whole) std::abort();
  return 0;
}
