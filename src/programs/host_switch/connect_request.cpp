#include "programs/host_switch/connect_request.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "base/unique_fd.hpp"

namespace host_switch {
namespace {

constexpr std::string_view beginning = "POST /connect ";
constexpr std::string_view end_of_head = "\r\n\r\n";
constexpr std::chrono::milliseconds for_the_first_byte{50}, for_the_whole{2'000}, between_looks{5};

}  // namespace

std::optional<std::size_t> connect_request_size(std::string_view received) {
  const auto common = received.substr(0, beginning.size());
  if (!beginning.starts_with(common)) return 0;
  const auto end = received.find(end_of_head);
  if (end != std::string_view::npos) return end + end_of_head.size();
  return received.size() < longest_connect_request ? std::nullopt : std::optional<std::size_t>(0);
}

async::task<bool> skip_connect_request(const base::unique_fd& fd) {
  std::array<char, longest_connect_request> bytes;
  const auto began = async::clock::now();
  while (true) {
    const auto got = ::recv(fd.get(), bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) co_return false;
    if (got > 0) {
      const auto size = connect_request_size({bytes.data(), static_cast<std::size_t>(got)});
      if (size)
        co_return *size == 0 || ::recv(fd.get(), bytes.data(), *size, MSG_DONTWAIT) == static_cast<ssize_t>(*size);
    }
    const auto waited = async::clock::now() - began;
    if (got < 0 && waited > for_the_first_byte) co_return true;
    if (waited > for_the_whole) co_return false;
    co_await async::sleep_for(between_looks);
  }
}

}  // namespace host_switch
