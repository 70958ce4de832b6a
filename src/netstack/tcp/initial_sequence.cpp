#include "netstack/tcp/initial_sequence.hpp"

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "netstack/bytes.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/tcp/sequence.hpp"
#include "netstack/time_point.hpp"

namespace netstack::tcp {
namespace {

// `count` bytes at `at`, little endian; at most 8.
std::uint64_t load_little(bytes_view from, std::size_t at, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value |= std::uint64_t{from[at + i]} << (8 * i);
  return value;
}

struct sip_state {
  std::uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void compress(std::uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
};

}  // namespace

std::uint64_t siphash(const secret& key, bytes_view input) {
  const auto k0 = load_little(key, 0, 8);
  const auto k1 = load_little(key, 8, 8);
  sip_state s{k0 ^ 0x736f'6d65'7073'6575U, k1 ^ 0x646f'7261'6e64'6f6dU, k0 ^ 0x6c79'6765'6e65'7261U,
              k1 ^ 0x7465'6462'7974'6573U};
  std::size_t at = 0;
  for (; at + 8 <= input.size(); at += 8) s.compress(load_little(input, at, 8));
  s.compress(std::uint64_t{input.size()} << 56U | load_little(input, at, input.size() - at));
  s.v2 ^= 0xffU;
  for (int i = 0; i < 4; ++i) s.round();
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

sequence initial_sequence::operator()(ipv4::address local, std::uint16_t local_port, ipv4::address peer,
                                      std::uint16_t peer_port, time_point now) const {
  std::array<std::uint8_t, 12> tuple{};
  store_32(tuple, 0, local.value);
  store_32(tuple, 4, peer.value);
  store_16(tuple, 8, local_port);
  store_16(tuple, 10, peer_port);
  const auto ticks = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count() / 4;
  return {static_cast<std::uint32_t>(siphash(key_, tuple)) + static_cast<std::uint32_t>(ticks)};
}

}  // namespace netstack::tcp
