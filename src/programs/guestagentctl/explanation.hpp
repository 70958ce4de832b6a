// explanation: the blocks of which an answer of `explain` consists. A block is a line about its subject and indented
// rows. Pure. What came from outside is shown as printable ASCII.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "programs/guestagentctl/port_text.hpp"
#include "protocols/status_document/document.hpp"

namespace guestagentctl {

class explanation {
 public:
  // Begins a block.
  void subject(std::string_view text);
  void row(std::string_view label, std::string_view text);

  // A block: who claims the ports, which rule decided, what each peer said, and what would have to change.
  void add_ports(const port_range& range);
  // A block: what a source found and does not publish.
  void add_refusal(const status_document::source& source, const status_document::refusal& refusal);
  // Rows: the sources that cannot be read now. Nothing follows from their silence.
  void add_silent_sources(const status_document::document& shown);
  // The same as a block of its own, if there are such sources.
  void add_doubt(const status_document::document& shown);
  // Rows: what sources refused without a port's number, such as sockets that they only counted.
  void add_unnamed(const status_document::document& shown);

  [[nodiscard]] std::string take() { return std::move(text_); }
  [[nodiscard]] bool empty() const { return text_.empty(); }

 private:
  void add_claims(const status_document::port& port, std::size_t count);
  void add_peers(const status_document::port& port);

  std::string text_;
};

[[nodiscard]] bool is_silent(const status_document::source& source);
// "docker cannot be read now"; empty: all sources can be read.
[[nodiscard]] std::string silent_sources(const status_document::document& shown);

}  // namespace guestagentctl
