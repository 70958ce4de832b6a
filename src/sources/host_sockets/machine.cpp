#include "sources/host_sockets/machine.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <ctime>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/text.hpp"
#include "base/unique_fd.hpp"
#include "kernel/netlink/sock_diag.hpp"

namespace host_sockets {
namespace {

constexpr const char* port_range_file = "/proc/sys/net/ipv4/ip_local_port_range";

std::chrono::nanoseconds to_duration(const timeval& t) {
  return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
}

}  // namespace

base::result<netlink::port_range> parse_port_range(std::string_view text) {
  const auto parts = base::split(base::trim(text), '\t');
  const auto first = base::parse_port(base::trim(parts.front())), last = base::parse_port(base::trim(parts.back()));
  if (parts.size() != 2 || !first || !last || *first > *last)
    return base::fail(std::string(port_range_file) + " is not a port range");
  return netlink::port_range{*first, *last};
}

base::result<netlink::port_range> ephemeral_ports() {
  const base::unique_fd file(::open(port_range_file, O_RDONLY | O_CLOEXEC));
  if (!file) return base::fail_errno(port_range_file);
  std::array<char, 64> text;
  const auto length = ::read(file.get(), text.data(), text.size());
  if (length < 0) return base::fail_errno(port_range_file);
  return parse_port_range({text.data(), static_cast<std::size_t>(length)});
}

std::chrono::nanoseconds processor_time() {
  timespec own{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &own);
  rusage children{};
  ::getrusage(RUSAGE_CHILDREN, &children);
  return std::chrono::seconds(own.tv_sec) + std::chrono::nanoseconds(own.tv_nsec) + to_duration(children.ru_utime) +
         to_duration(children.ru_stime);
}

}  // namespace host_sockets
