#include "base/descriptor_limit.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <system_error>

#include "base/result.hpp"

namespace base {

result<> raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};  // unknown, so not known to be too low
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max >= least_descriptors) return {};
  return fail(std::errc::too_many_files_open,
              fmt::format("at most {} descriptors are allowed, {} are needed", limit.rlim_max, least_descriptors));
}

}  // namespace base
