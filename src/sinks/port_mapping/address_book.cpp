#include "sinks/port_mapping/address_book.hpp"

#include <cstddef>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "base/read_file.hpp"
#include "base/replace_file.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "protocols/port_mapping/message.hpp"
#include "protocols/port_mapping/message_codec.hpp"
#include "sinks/port_mapping/peer_monitor.hpp"

namespace port_mapping_peer {
namespace {

constexpr std::size_t most_known = 4;

std::vector<connect_addresses> read_book(const std::filesystem::path& file) {
  std::vector<connect_addresses> known;
  const auto text = base::read_file(file.string(), {.bytes = 64 << 10, .follow_links = false});
  if (!text) return known;
  for (const auto line : base::split(*text, '\n')) {
    const auto document = line.empty() ? base::fail("") : port_mapping::decode(line);
    if (document && known.size() < most_known) known.push_back(document->accepted.connect_addresses);
  }
  return known;
}

base::result<> write_book(const std::filesystem::path& file, const std::string& text) {
  std::error_code failed;
  std::filesystem::create_directories(file.parent_path(), failed);
  if (failed) return base::fail(failed, "create " + file.parent_path().string());
  return base::replace_file(file, text);
}

bool same_targets(const connect_addresses& a, const connect_addresses& b) {
  return port_mapping::target_of(a, true) == port_mapping::target_of(b, true) &&
         port_mapping::target_of(a, false) == port_mapping::target_of(b, false);
}

}  // namespace

address_book::address_book(std::filesystem::path file) : file_(std::move(file)), known_(read_book(file_)) {}

void address_book::move_to(const connect_addresses& now) {
  if (!known_.empty() && known_.front() == now) return;
  std::erase_if(known_, [&](const auto& known) { return same_targets(known, now); });
  known_.insert(known_.begin(), now);
  if (known_.size() > most_known) known_.resize(most_known);
  write();
}

std::vector<connect_addresses> address_book::former() const {
  if (known_.empty()) return {};
  return {known_.begin() + 1, known_.end()};
}

void address_book::forget_former() {
  if (known_.size() < 2) return;
  known_.resize(1);
  write();
}

void address_book::write() {
  if (file_.empty()) return;
  std::string text;
  for (const auto& addresses : known_)
    text += port_mapping::encode({.remove = false, .bindings = {}, .connect_addresses = addresses});
  unwritten_.note(write_book(file_, text));
}

}  // namespace port_mapping_peer
