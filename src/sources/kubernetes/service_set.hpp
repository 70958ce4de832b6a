// service_set: the Services of a cluster that publish ports, put together from the pages of a list and from later
// events. Pure.
//
// A NodePort Service publishes its nodePorts, a LoadBalancer its ports; other types publish none. Each port is checked
// alone. The set keeps ports::max_bindings at most: a Service that exceeds them is refused.
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

  // Begins a list: its pages are kept apart, and the present Services stay until commit_list().
  void begin_list() { listed_ = {}; }
  void add(const std::vector<service_record>& some);
  void commit_list();

  // An event that came after the list.
  void apply(const watch_event& event);

  // True once after each change of the snapshot, and after each commit_list().
  [[nodiscard]] bool take_changed() { return std::exchange(changed_, false); }
  [[nodiscard]] ports::snapshot snapshot() const;
  // Services that publish, or are refused.
  [[nodiscard]] std::size_t size() const { return services_.by_name.size(); }

 private:
  struct published {
    std::vector<ports::binding> bindings;
    std::vector<ports::refusal> refusals;
    bool operator==(const published&) const = default;
  };
  // Services that publish, or are refused.
  struct service_map {
    std::map<std::string, published> by_name;          // "namespace/name"
    std::size_t bindings = 0;                          // of all
    bool overflowed = false;                           // some are missing
    bool put(const std::string& name, published now);  // true: a change
  };

  [[nodiscard]] published classify(const service_record& s) const;
  void classify_port(published& into, const service_record& s, const service_port& p) const;

  net::address listener_;
  service_map services_, listed_;
  bool changed_ = false;
};

}  // namespace kubernetes
