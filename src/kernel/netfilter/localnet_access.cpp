#include "kernel/netfilter/localnet_access.hpp"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "kernel/netfilter/nat_tool.hpp"
#include "kernel/netfilter/route_localnet.hpp"

namespace netfilter {

localnet_access::localnet_access(route_localnet setting, std::string tag, const std::vector<nat_programs>& programs,
                                 std::string component)
    : setting_(std::move(setting)),
      guard_(std::move(tag), programs),
      failure_(std::move(component), "cannot set route_localnet") {}

async::task<base::result<>> localnet_access::enable(std::set<std::string> devices) {
  on_ = true;
  const auto enabled = co_await switch_on(std::move(devices));
  failure_.note(enabled);
  co_return enabled;
}

async::task<base::result<>> localnet_access::switch_on(std::set<std::string> devices) {
  if (auto others = setting_.restore_unless(devices); !others || devices.empty()) co_return others;
  auto guarded = co_await guard_.ensure(devices);
  if (guarded) co_return setting_.enable(devices);
  if (const auto off = setting_.restore(); !off)
    co_return base::fail("it stays on unguarded: " + off.error().message() + "; " + guarded.error().message());
  co_return guarded;
}

async::task<> localnet_access::disable() {
  auto off = setting_.restore();
  if (off) off = co_await guard_.remove();
  on_ = !off;
  failure_.note(off);
}

}  // namespace netfilter
