#include "sources/kubernetes/service_set.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/plain_name.hpp"
#include "base/shared_text.hpp"
#include "base/text.hpp"
#include "net/protocol.hpp"
#include "ports/owner_traits.hpp"
#include "ports/serving.hpp"
#include "ports/snapshot.hpp"
#include "sources/kubernetes/services_codec.hpp"

namespace kubernetes {
namespace {

constexpr std::size_t max_refusals = 256;  // of all Services
constexpr std::size_t max_refusals_of_one = 16;
constexpr std::size_t max_services = ports::max_bindings;

// Somewhat more than Kubernetes allows.
bool is_name(std::string_view text) { return base::is_plain_name(text, 253); }

std::string full_name(const service_record& s) { return base::printable(s.name_space + '/' + s.name, 320); }

ports::encoded_traits traits_of(const service_record& s) {
  ports::owner_traits traits{.name = s.name, .space = s.name_space, .complete = s.labels_complete};
  for (const auto& [key, value] : s.labels) traits.labels.push_back({key, value});
  return ports::encode_traits(std::move(traits));
}

}  // namespace

void service_set::classify_port(published& into, const service_record& s, const service_port& p) const {
  const auto refuse = [&](std::int64_t number, const char* why) {
    if (into.refusals.size() >= max_refusals_of_one) return;
    into.refusals.push_back({full_name(s), base::printable(std::to_string(number) + '/' + p.protocol, 80), why});
  };
  const bool by_node_port = s.type == "NodePort";
  const auto number = by_node_port ? p.node_port : p.port;
  if (by_node_port && number == 0) return;  // not allocated yet
  if (number < 1 || number > 65'535) return refuse(number, "not a port number");
  const auto protocol = net::parse_protocol(base::to_lower(p.protocol));
  if (!protocol) return refuse(number, "unknown protocol");
  const auto port = static_cast<std::uint16_t>(number);
  into.bindings.push_back({*protocol, listener_, port, port, s.uid.empty() ? full_name(s) : base::printable(s.uid, 128),
                           full_name(s), ports::serving::every_address});
}

service_set::published service_set::classify(const service_record& s) const {
  published made;
  if (s.type != "NodePort" && s.type != "LoadBalancer") return made;
  if (!is_name(s.name) || !is_name(s.name_space)) {
    made.refusals.push_back({full_name(s), "all of its ports", "invalid name"});
    return made;
  }
  for (const auto& p : s.ports) classify_port(made, s, p);
  const auto traits = traits_of(s);
  for (auto& b : made.bindings) b.traits = traits.text;
  if (!traits.complete && !made.bindings.empty() && made.refusals.size() < max_refusals_of_one)
    made.refusals.push_back({full_name(s), "labels", "too long: port rules do not see all of them"});
  return made;
}

bool service_set::service_map::put(const std::string& name, published now) {
  const auto known = by_name.find(name);
  const auto before = known == by_name.end() ? published{} : known->second;
  if (now.bindings.size() > ports::max_bindings - (bindings - before.bindings.size())) {
    now.bindings.clear();
    now.refusals = {
        {base::printable(name, 320), "all of its ports", "the Services publish more than can be forwarded"}};
  }
  if (now == before) return false;
  if (known == by_name.end() && by_name.size() >= max_services) return !std::exchange(overflowed, true);
  bindings += now.bindings.size() - before.bindings.size();
  if (now == published{})
    by_name.erase(known);
  else
    by_name.insert_or_assign(name, std::move(now));
  return true;
}

void service_set::add(const std::vector<service_record>& some) {
  for (const auto& s : some) listed_.put(s.name_space + '/' + s.name, classify(s));
}

void service_set::commit_list() {
  services_ = std::exchange(listed_, {});
  changed_ = true;
}

void service_set::apply(const watch_event& event) {
  const bool gone = event.what == change::deleted;
  if (!gone && event.what != change::added && event.what != change::modified) return;
  const auto name = event.service.name_space + '/' + event.service.name;
  changed_ = services_.put(name, gone ? published{} : classify(event.service)) || changed_;
}

ports::snapshot service_set::snapshot() const {
  ports::snapshot s;
  for (const auto& [name, one] : services_.by_name) {
    s.bindings.insert(s.bindings.end(), one.bindings.begin(), one.bindings.end());
    for (const auto& r : one.refusals)
      if (s.refusals.size() < max_refusals) s.refusals.push_back(r);
  }
  if (services_.overflowed) s.refusals.push_back({"Kubernetes", "further Services", "there are too many"});
  return s;
}

}  // namespace kubernetes
