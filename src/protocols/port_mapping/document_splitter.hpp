// document_splitter: cuts a byte stream into JSON documents by their braces, so that a document counts as complete with
// its last brace, whether or not a newline or the end of the stream follows. Does not check the JSON: the codec does.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace port_mapping {

class document_splitter {
 public:
  // A document of more than `limit` bytes is an error.
  explicit document_splitter(std::size_t limit) : limit_(limit) {}

  // Fails, and is of no further use, where something other than an object begins, or where one grows beyond the limit.
  base::result<> feed(std::string_view bytes);

  // The documents completed so far, one a call, in their order.
  [[nodiscard]] std::optional<std::string> next();

  // True while a document has begun and not ended.
  [[nodiscard]] bool inside() const { return !current_.empty(); }

 private:
  void step(char c);

  std::size_t limit_;
  std::string current_;    // the document that has begun; empty between documents
  std::size_t depth_ = 0;  // of braces and brackets
  bool quoted_ = false;
  bool escaped_ = false;
  std::deque<std::string> complete_;
};

}  // namespace port_mapping
