#include "tests/soak/bounds.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace soak {
namespace {

// Room for what a program keeps on purpose: buffers, pools, what it knows of the ports.
constexpr std::size_t more_memory = std::size_t{12} << 20U, more_descriptors = 48, descriptors_of_a_port = 4,
                      more_threads = 6;
constexpr std::size_t log_bytes_at_once = std::size_t{32} << 10U, log_bytes_of_an_operation = 4096,
                      log_bytes_of_a_second = 1024;

}  // namespace

std::vector<std::string> beyond_bounds(const reading& first, const reading& now, std::size_t ports) {
  std::vector<std::string> all;
  const auto check = [&all](const char* what, std::size_t before, std::size_t is, std::size_t most) {
    if (is > most) all.push_back(fmt::format("{} {}, at first {}, bound {}", is, what, before, most));
  };
  check("bytes of memory", first.resident_bytes, now.resident_bytes,
        std::max(2 * first.resident_bytes, first.resident_bytes + more_memory));
  check("descriptors", first.descriptors, now.descriptors,
        first.descriptors + more_descriptors + descriptors_of_a_port * ports);
  check("threads", first.threads, now.threads, first.threads + more_threads);
  return all;
}

bool grows_too_fast(std::size_t bytes, std::chrono::milliseconds time, std::size_t operations) {
  const auto seconds = static_cast<std::size_t>(time.count()) / 1000;
  return bytes > log_bytes_at_once + log_bytes_of_an_operation * operations + log_bytes_of_a_second * seconds;
}

}  // namespace soak
