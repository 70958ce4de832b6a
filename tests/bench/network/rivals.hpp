// The networks that the bench compares, and how each is started.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "tests/bench/network/subject.hpp"

namespace bench {

namespace names {
inline constexpr const char *veth = "veth", *wire = "wire", *plain = "ours", *offload = "ours+offload",
                            *passt = "passt", *slirp = "slirp4netns", *gvproxy = "gvproxy";
}

struct recipe {
  std::string name;
  std::string missing;                  // why it cannot be started here; empty: it can
  std::function<void(subject&)> start;  // throws if it does not come up
};

// `programs`: where ours are. `directory`: for sockets and logs.
[[nodiscard]] std::vector<recipe> recipes(const std::filesystem::path& programs,
                                          const std::filesystem::path& directory);

}  // namespace bench
