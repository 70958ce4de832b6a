// shared_text: an immutable text that its copies share. For a name that many records repeat: a container's id stands
// in each record of each of its ports. A copy costs 16 bytes; an empty text owns nothing. Copies may be used on
// different threads.
#pragma once

#include <compare>
#include <memory>
#include <string>
#include <utility>

namespace base {

class shared_text {
 public:
  shared_text() = default;
  // It stands wherever a text does.
  explicit(false) shared_text(std::string text)
      : text_(text.empty() ? nullptr : std::make_shared<const std::string>(std::move(text))) {}
  explicit(false) shared_text(const char* text) : shared_text(std::string(text)) {}

  [[nodiscard]] const std::string& str() const {
    static const std::string none;
    return text_ ? *text_ : none;
  }
  [[nodiscard]] bool empty() const { return text_ == nullptr; }

  friend bool operator==(const shared_text& a, const shared_text& b) {
    return a.text_ == b.text_ || a.str() == b.str();
  }
  friend std::strong_ordering operator<=>(const shared_text& a, const shared_text& b) {
    return a.text_ == b.text_ ? std::strong_ordering::equal : a.str() <=> b.str();
  }

 private:
  std::shared_ptr<const std::string> text_;
};

}  // namespace base
