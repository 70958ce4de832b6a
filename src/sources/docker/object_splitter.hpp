// object_splitter: cuts a stream of JSON objects, with or without anything between them, into objects. Engines write
// one a line, newer ones sometimes nothing in between, and the network cuts anywhere.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace docker {

class object_splitter {
 public:
  // An object of more than `limit` bytes, or bytes between objects that are no white space, end the stream: the error
  // says which. After an error the splitter is of no more use.
  explicit object_splitter(std::size_t limit = 1 << 20) : limit_(limit) {}

  void feed(std::string_view bytes) { pending_.append(bytes); }
  // The next whole object; nothing while more bytes are needed.
  [[nodiscard]] base::result<std::optional<std::string>> next();

 private:
  std::size_t limit_;
  std::string pending_;
  std::size_t scanned_ = 0;  // bytes of pending_ that have been looked at
  std::size_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
};

}  // namespace docker
