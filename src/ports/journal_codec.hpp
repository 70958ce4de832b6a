// The journal's text: a header with the boot it was written in, then one line a change.
//
//   guestagent-journal 1 6f2c…            version, /proc/sys/kernel/random/boot_id
//   + tcp 0.0.0.0 8080 80 docker          about to be exposed: protocol, address, port, container port, source
//   + tcp 0.0.0.0 8080 80 docker 9080     the same, and port 9080 of the VM is behind it
//   - tcp 0.0.0.0 8080                    no longer ours
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "ports/sink.hpp"

namespace ports {

struct journal_content {
  std::string boot_id;               // empty where the header is missing or damaged
  std::map<port_key, forward> live;  // exposed and not taken back
  std::size_t damaged_lines = 0;     // skipped; the last line may be torn by a crash
};

[[nodiscard]] std::string encode_journal_header(std::string_view boot_id);
[[nodiscard]] std::string encode_journal_add(const forward& f);
[[nodiscard]] std::string encode_journal_erase(const port_key& key);
// Total: whatever the bytes are, what can be read is.
// A line of a source that is not among the known ones counts as damaged.
[[nodiscard]] journal_content parse_journal(std::string_view text,
                                            std::span<const source_id> known = registered_sources);

}  // namespace ports
