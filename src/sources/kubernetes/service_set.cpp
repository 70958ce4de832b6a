#include "sources/kubernetes/service_set.hpp"

#include "base/text.hpp"

namespace kubernetes {
namespace {

constexpr std::size_t max_refusals = 256;  // of all Services
constexpr std::size_t max_refusals_of_one = 16;

std::string full_name(const service_record& s) { return base::printable(s.name_space + '/' + s.name, 320); }

}  // namespace

void service_set::judge_port(published& into, const service_record& s, const service_port& p) const {
  const auto refuse = [&](std::int64_t number, const char* why) {
    if (into.refusals.size() >= max_refusals_of_one) return;
    into.refusals.push_back({full_name(s), base::printable(std::to_string(number) + '/' + p.protocol, 80), why});
  };
  const bool by_node_port = s.type == "NodePort";
  const auto number = by_node_port ? p.node_port : p.port;
  if (by_node_port && number == 0) return;  // not allocated yet
  if (number < 1 || number > 65'535) return refuse(number, "no port number");
  const auto protocol = net::parse_protocol(base::to_lower(p.protocol));
  if (!protocol) return refuse(number, "no protocol that is known");
  const auto port = static_cast<std::uint16_t>(number);
  into.bindings.push_back(
      {*protocol, listener_, port, port, s.uid.empty() ? full_name(s) : base::printable(s.uid, 128), full_name(s)});
}

service_set::published service_set::judge(const service_record& s) const {
  published made;
  if (s.type != "NodePort" && s.type != "LoadBalancer") return made;
  for (const auto& p : s.ports) judge_port(made, s, p);
  return made;
}

void service_set::add(const std::vector<service_record>& page) {
  for (const auto& s : page)
    if (auto made = judge(s); made != published{})
      listed_.insert_or_assign(s.name_space + '/' + s.name, std::move(made));
}

void service_set::commit_list() {
  services_ = std::exchange(listed_, {});
  changed_ = true;
}

void service_set::apply(const watch_event& event) {
  const bool gone = event.what == change::deleted;
  if (!gone && event.what != change::added && event.what != change::modified) return;
  const auto name = event.service.name_space + '/' + event.service.name;
  auto now = gone ? published{} : judge(event.service);
  const auto known = services_.find(name);
  if (now == (known == services_.end() ? published{} : known->second)) return;
  changed_ = true;
  if (now == published{})
    services_.erase(known);
  else
    services_.insert_or_assign(name, std::move(now));
}

ports::snapshot service_set::snapshot() const {
  ports::snapshot s;
  for (const auto& [name, one] : services_) {
    s.bindings.insert(s.bindings.end(), one.bindings.begin(), one.bindings.end());
    for (const auto& r : one.refusals)
      if (s.refusals.size() < max_refusals) s.refusals.push_back(r);
  }
  return s;
}

}  // namespace kubernetes
