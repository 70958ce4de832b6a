// stream_splitter: cuts a byte stream into JSON objects by their braces. An object is complete with its last brace,
// whether a newline, another object or the end of the stream follows. Pure; does not check the JSON, the codecs do.
//
// Owned by the connection that it reads. It holds one unfinished object within the limits, and the finished ones that
// nothing has taken yet: those of the piece that was fed last, if the owner takes them all after each.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "json/json.hpp"

namespace json {

class stream_splitter {
 public:
  explicit stream_splitter(limits bounds) : bounds_(bounds) {}

  // Fails if the stream has bytes between objects other than white space, or an object beyond the limits. Objects that
  // were complete before stay available; the splitter is of no further use.
  [[nodiscard]] base::result<> feed(std::string_view bytes);

  // The next complete object; nothing until more bytes come.
  [[nodiscard]] std::optional<std::string> next();

  // An object has begun and has not ended.
  [[nodiscard]] bool inside() const { return !current_.empty(); }

 private:
  void step(char c);
  base::result<std::size_t> scan(std::string_view bytes);

  limits bounds_;
  std::string current_;    // the object that has begun; empty between objects
  std::size_t depth_ = 0;  // of braces and brackets
  bool quoted_ = false;
  bool escaped_ = false;
  std::deque<std::string> complete_;
};

}  // namespace json
