#include "sources/docker/object_splitter.hpp"

#include "base/text.hpp"

namespace docker {

base::result<std::optional<std::string>> object_splitter::next() {
  if (depth_ == 0) {
    const auto start = pending_.find_first_not_of(" \t\r\n");
    pending_.erase(0, start == std::string::npos ? pending_.size() : start);
    if (!pending_.empty() && pending_[0] != '{') return base::fail("not an object: " + base::printable(pending_, 40));
  }
  for (; scanned_ < pending_.size(); ++scanned_) {
    const char c = pending_[scanned_];
    if (in_string_) {
      if (escaped_)
        escaped_ = false;
      else if (c == '\\')
        escaped_ = true;
      else if (c == '"')
        in_string_ = false;
    } else if (c == '"') {
      in_string_ = true;
    } else if (c == '{') {
      ++depth_;
    } else if (c == '}' && --depth_ == 0) {
      if (scanned_ >= limit_) break;
      auto object = pending_.substr(0, scanned_ + 1);
      pending_.erase(0, scanned_ + 1);
      scanned_ = 0;
      return std::optional(std::move(object));
    }
  }
  if (pending_.size() > limit_) return base::fail("an object of more than " + std::to_string(limit_) + " bytes");
  return std::optional<std::string>();
}

}  // namespace docker
