// Lists and watches of Services: wherever the bytes are cut, the same is read; what is published are ports that can be.
#include <cstdint>
#include <cstdlib>

#include "sources/kubernetes/service_set.hpp"

namespace {

using namespace kubernetes;

// The first piece is as long as the first byte says.
template <class Reader>
bool read_in_two(Reader& reader, std::string_view text, std::size_t cut) {
  return reader.feed(text.substr(0, cut)).has_value() && reader.feed(text.substr(cut)).has_value();
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
  list_reader whole, halves;
  if (whole.feed(text).has_value() != read_in_two(halves, text, cut)) std::abort();
  auto list = whole.finish(), again = halves.finish();
  if (list.has_value() != again.has_value()) std::abort();
  service_set services(net::address::any_v4());
  if (list) {
    if (list->services.size() != again->services.size() || list->continue_token != again->continue_token) std::abort();
    services.add(list->services);
    services.commit_list();
    check(services.snapshot());
  }
  watch_reader watch;
  if (const auto events = watch.feed(text))
    for (const auto& e : *events) services.apply(e);
  check(services.snapshot());
  return 0;
}
