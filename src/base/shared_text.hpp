// shared_text: an immutable text that its copies share. For a name that many records repeat: a container's id stands
// in each record of each of its ports. A copy costs 8 bytes; an empty text owns nothing. Copies may be used on
// different threads.
#pragma once

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <compare>
#include <string>
#include <utility>

namespace base {

class shared_text {
 public:
  shared_text() = default;
  // It stands wherever a text does.
  explicit(false) shared_text(std::string text) : text_(text.empty() ? nullptr : new counted(std::move(text))) {}
  explicit(false) shared_text(const char* text) : shared_text(std::string(text)) {}

  [[nodiscard]] const std::string& str() const {
    static const std::string none;
    return text_ ? text_->text : none;
  }
  [[nodiscard]] bool empty() const { return text_ == nullptr; }

  friend bool operator==(const shared_text& a, const shared_text& b) {
    return a.text_ == b.text_ || a.str() == b.str();
  }
  friend std::strong_ordering operator<=>(const shared_text& a, const shared_text& b) {
    return a.text_ == b.text_ ? std::strong_ordering::equal : a.str() <=> b.str();
  }

 private:
  // One pointer, where a std::shared_ptr takes two.
  struct counted : boost::intrusive_ref_counter<counted, boost::thread_safe_counter> {
    explicit counted(std::string t) : text(std::move(t)) {}
    const std::string text;
  };
  boost::intrusive_ptr<const counted> text_;
};

}  // namespace base
