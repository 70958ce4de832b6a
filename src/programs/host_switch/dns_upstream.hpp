// dns_upstream: sends the VM's questions unchanged to the host's resolver, with c-ares. Owned by dns_service; control
// thread only. Every question gets one result: the resolver's message, or nullopt for a failure of any kind.
//
// Theory of operation. A channel reads resolv.conf once (os/name_channel.hpp). renew() creates a new one; the old one
// is destroyed after its last answer. Questions by UDP go to the resolver by UDP, and a truncated answer is passed on,
// so that the VM's own resolver repeats the question by TCP; questions by TCP go by TCP.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/task.hpp"
#include "base/episode.hpp"
#include "netstack/bytes.hpp"
#include "os/name_channel.hpp"

namespace host_switch {

class dns_upstream {
 public:
  using result = std::function<void(std::optional<netstack::bytes_view>)>;

  // `resolv_conf`: the file that channels read; tests use one other than /etc/resolv.conf.
  dns_upstream(const async::executor& where, std::string resolv_conf);
  ~dns_upstream();  // delivers no results
  dns_upstream(const dns_upstream&) = delete;
  dns_upstream& operator=(const dns_upstream&) = delete;

  // `question` has an id that no other question in progress has. May call `to` at once.
  void ask(netstack::bytes_view question, bool by_tcp, result to);
  // Uses the servers that resolv.conf names now for later questions.
  void renew();
  // Those of resolv.conf.
  [[nodiscard]] std::vector<std::string> search_domains() const;

 private:
  [[nodiscard]] std::shared_ptr<os::name_channel> open(bool by_tcp);

  async::executor where_;
  std::string resolv_conf_;
  std::shared_ptr<os::name_channel> by_udp_, by_tcp_;
  std::list<std::weak_ptr<os::name_channel>> all_;  // including old ones with questions in progress
  base::log::episode trouble_{"dns", "no resolver"};
};

}  // namespace host_switch
