// service_set: the Services of a cluster that have ports for the outside, put together from the pages of a list and
// from the events behind it. Pure.
//
// A NodePort Service has its nodePorts, a LoadBalancer its ports; other types have none. Each port is judged alone.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "net/address.hpp"
#include "ports/snapshot.hpp"
#include "sources/kubernetes/services_codec.hpp"

namespace kubernetes {

class service_set {
 public:
  // `listener`: the address to which Services are bound on the host.
  explicit service_set(net::address listener) : listener_(listener) {}

  // A list begins: pages are added apart, and what is known stays until commit_list().
  void begin_list() { listed_.clear(); }
  void add(const std::vector<service_record>& page);
  void commit_list();

  // An event that came after the list.
  void apply(const watch_event& event);

  // True once after each change of what is published, and after each commit_list().
  [[nodiscard]] bool take_changed() { return std::exchange(changed_, false); }
  [[nodiscard]] ports::snapshot snapshot() const;
  // Services that publish, or are refused.
  [[nodiscard]] std::size_t size() const { return services_.size(); }

 private:
  struct published {
    std::vector<ports::binding> bindings;
    std::vector<ports::refusal> refusals;
    bool operator==(const published&) const = default;
  };
  using service_map = std::map<std::string, published>;  // by "namespace/name"; only those that publish or are refused

  [[nodiscard]] published judge(const service_record& s) const;
  void judge_port(published& into, const service_record& s, const service_port& p) const;

  net::address listener_;
  service_map services_, listed_;
  bool changed_ = false;
};

}  // namespace kubernetes
