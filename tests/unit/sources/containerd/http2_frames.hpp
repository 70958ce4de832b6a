// http2_frames: HTTP/2 frames byte by byte, as a server may send them, the forbidden ones included.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace containerd::frames {

constexpr std::uint8_t end_stream = 1, end_headers = 4;

inline std::string number(std::uint32_t value, unsigned bytes = 4) {
  std::string made;
  while (bytes-- > 0) made += static_cast<char>(value >> 8 * bytes & 0xff);
  return made;
}

inline std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload) {
  return (number(static_cast<std::uint32_t>(payload.size()), 3) + number(type, 1) + number(flags, 1) + number(stream))
      .append(payload);
}

inline std::string data(std::uint32_t stream, std::string_view bytes, std::uint8_t flags = 0) {
  return frame(0, flags, stream, bytes);
}
inline std::string reset(std::uint32_t stream, std::uint32_t code) { return frame(3, 0, stream, number(code)); }
inline std::string settings() { return frame(4, 0, 0, ""); }
inline std::string setting(std::uint16_t name, std::uint32_t value) {
  return frame(4, 0, 0, number(name, 2) + number(value));
}
inline std::string ping(std::uint8_t flags = 0) { return frame(6, flags, 0, "12345678"); }
inline std::string goaway(std::uint32_t code, std::string_view why) {
  return frame(7, 0, 0, (number(0) + number(code)).append(why));
}
inline std::string window_update(std::uint32_t stream, std::uint32_t bytes) {
  return frame(8, 0, stream, number(bytes));
}

// A text without Huffman's coding (RFC 7541, 5.2).
inline std::string hpack_text(std::string_view text) {
  std::string made;
  if (text.size() < 127) {
    made += static_cast<char>(text.size());
  } else {
    made += '\x7f';
    auto rest = text.size() - 127;
    for (; rest >= 128; rest /= 128) made += static_cast<char>(rest % 128 + 128);
    made += static_cast<char>(rest);
  }
  return made.append(text);
}

using fields = std::vector<std::pair<std::string, std::string>>;

inline std::string hpack(const fields& all) {
  std::string made;
  for (const auto& [name, value] : all) made += '\0' + hpack_text(name) + hpack_text(value);
  return made;
}
inline std::string headers(std::uint32_t stream, const fields& all, std::uint8_t flags = end_headers) {
  return frame(1, flags, stream, hpack(all));
}

inline const fields ok = {{":status", "200"}, {"content-type", "application/grpc"}};

// Type and stream of each frame in what a client has sent after its preface.
struct sent_frame {
  std::uint8_t type, flags;
  std::uint32_t stream;
  std::string payload;
};
inline std::vector<sent_frame> frames_in(std::string_view bytes) {
  constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  if (bytes.starts_with(preface)) bytes.remove_prefix(preface.size());
  const auto at = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<std::uint8_t>(bytes[i])); };
  std::vector<sent_frame> all;
  while (bytes.size() >= 9) {
    const auto size = at(0) << 16 | at(1) << 8 | at(2);
    all.push_back({static_cast<std::uint8_t>(at(3)), static_cast<std::uint8_t>(at(4)),
                   at(5) << 24 | at(6) << 16 | at(7) << 8 | at(8), std::string(bytes.substr(9, size))});
    bytes.remove_prefix(9 + size);
  }
  return all;
}

}  // namespace containerd::frames
