#include "translator/pcap_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <expected>
#include <span>
#include <string>
#include <system_error>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "netstack/bytes.hpp"

namespace translator {
namespace {

constexpr std::uint32_t magic = 0xa1b2'c3d4;
constexpr std::uint32_t version = 4U << 16U | 2U;  // 2.4: major in the low half
constexpr std::uint32_t longest = 65'536;          // bytes kept of a frame
constexpr std::uint32_t ethernet = 1;              // LINKTYPE_ETHERNET

// Without waiting: a FIFO blocks its opener until it has a reader, and each writer while that does not read.
base::result<base::unique_fd> open_regular(const std::string& path) {
  base::unique_fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!fd && errno != ENXIO) return base::fail_errno("open " + path);
  struct stat about{};
  if (!fd || ::fstat(fd.get(), &about) != 0 || !S_ISREG(about.st_mode))
    return base::fail(std::errc::invalid_argument, "open " + path + ": not a regular file");
  if ((about.st_mode & 077U) != 0 && ::fchmod(fd.get(), 0600) != 0) return base::fail_errno("protect " + path);
  return fd;
}

}  // namespace

base::result<pcap_file> pcap_file::create(const std::string& path) {
  auto opened = open_regular(path);
  if (!opened) return std::unexpected(opened.error());
  auto& fd = *opened;
  auto* const file = ::fdopen(fd.get(), "w");
  if (file == nullptr) return base::fail_errno("open " + path);
  static_cast<void>(fd.release());
  pcap_file made(file);
  const std::array<std::uint32_t, 6> header{magic, version, 0, 0, longest, ethernet};
  made.write(header.data(), sizeof header);
  if (!made.flush()) return base::fail_errno("write " + path);
  return made;
}

void pcap_file::write(const void* bytes, std::size_t size) {
  static_cast<void>(std::fwrite(bytes, 1, size, file_.get()));  // flush() sees the error
}

void pcap_file::add(std::span<const netstack::bytes_view> parts) {
  using namespace std::chrono;
  const auto now = duration_cast<microseconds>(system_clock::now().time_since_epoch());
  constexpr std::int64_t a_second = 1'000'000;
  std::size_t size = 0;
  for (const auto& part : parts) size += part.size();
  auto left = std::min<std::size_t>(size, longest);
  const std::array<std::uint32_t, 4> record{static_cast<std::uint32_t>(now.count() / a_second),
                                            static_cast<std::uint32_t>(now.count() % a_second),
                                            static_cast<std::uint32_t>(left), static_cast<std::uint32_t>(size)};
  write(record.data(), sizeof record);
  for (const auto& part : parts) {
    const auto kept = std::min(left, part.size());
    write(part.data(), kept);
    left -= kept;
  }
}

bool pcap_file::flush() { return std::fflush(file_.get()) == 0 && std::ferror(file_.get()) == 0; }

}  // namespace translator
