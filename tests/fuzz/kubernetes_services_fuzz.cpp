// Lists and watches of Services: wherever the bytes are cut, the same is read; what is published are ports that can be.
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <optional>

#include "sources/kubernetes/service_set.hpp"

namespace {

using namespace kubernetes;

// The Services of a list, or nothing.
std::optional<std::vector<service_record>> read_list(std::initializer_list<std::string_view> pieces) {
  list_reader reader;
  std::vector<service_record> all;
  for (const auto piece : pieces) {
    auto some = reader.feed(piece);
    if (!some) return std::nullopt;
    all.insert(all.end(), some->begin(), some->end());
  }
  if (!reader.finish()) return std::nullopt;
  return all;
}

void check(const ports::snapshot& s) {
  for (const auto& b : s.bindings)
    if (b.host_port == 0 || b.owner.empty()) std::abort();
  if (s.refusals.size() > 256) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto cut = std::min<std::size_t>(data[0], text.size());
  // The first piece is as long as the first byte says.
  const auto list = read_list({text}), again = read_list({text.substr(0, cut), text.substr(cut)});
  if (list.has_value() != again.has_value()) std::abort();
  service_set services(net::address::any_v4());
  if (list) {
    if (list->size() != again->size()) std::abort();
    services.add(*list);
    services.commit_list();
    check(services.snapshot());
  }
  watch_reader watch;
  if (const auto events = watch.feed(text))
    for (const auto& e : *events) services.apply(e);
  check(services.snapshot());
  return 0;
}
