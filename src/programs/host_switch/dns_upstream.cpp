#include "programs/host_switch/dns_upstream.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "netstack/bytes.hpp"
#include "os/name_channel.hpp"

namespace host_switch {

dns_upstream::dns_upstream(const async::executor& where, std::string resolv_conf)
    : where_(where), resolv_conf_(std::move(resolv_conf)) {
  renew();
}

dns_upstream::~dns_upstream() {
  for (const auto& one : all_)
    if (const auto alive = one.lock()) alive->stop();
}

std::shared_ptr<os::name_channel> dns_upstream::open(bool by_tcp) {
  const os::name_settings settings{.by_tcp = by_tcp, .passes_truncated = true, .resolv_conf = resolv_conf_};
  auto made = std::make_shared<os::name_channel>(where_, settings);
  all_.remove_if([](const auto& one) { return one.expired(); });
  all_.push_back(made);
  const auto& failure = made->failure();
  trouble_.note(failure.empty() ? base::result<>{} : base::fail(failure));
  return made;
}

// The old channels go on if the file cannot be read now.
void dns_upstream::renew() {
  for (auto [channel, by_tcp] : {std::pair(&by_udp_, false), std::pair(&by_tcp_, true)}) {
    auto made = open(by_tcp);
    if (*channel == nullptr || made->failure().empty()) *channel = std::move(made);
  }
}

void dns_upstream::ask(netstack::bytes_view question, bool by_tcp, result to) {
  (by_tcp ? by_tcp_ : by_udp_)->send(question, std::move(to));
}

std::vector<std::string> dns_upstream::search_domains() const { return by_udp_->search_domains(); }

}  // namespace host_switch
