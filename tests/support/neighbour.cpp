#include "tests/support/neighbour.hpp"

#include <fmt/format.h>

#include "tests/support/child_process.hpp"

namespace support {

neighbour::neighbour(const netns& router, std::string_view purpose, std::uint8_t number)
    : router_(router), number_(number), where_(purpose) {
  connect({&router, fmt::format("nb{}", number), router_address().to_string() + "/24"},
          {&where_, "eth0", address().to_string() + "/24"});
  where_.ip({"route", "add", "default", "via", router_address().to_string()});
}

void neighbour::masquerade() const {
  const auto in_router = [this](std::vector<std::string> argv) {
    run_or_throw({.argv = std::move(argv), .net_namespace = router_.path()});
  };
  in_router({"sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"});
  const auto table = fmt::format("neighbour{}", number_);
  in_router({"nft", fmt::format("table ip {} {{ chain post {{ type nat hook postrouting priority srcnat; "
                                "ip saddr {} oifname != \"nb{}\" masquerade; }}; }}",
                                table, address().to_string(), number_)});
}

}  // namespace support
