// json_walk: walks through a JSON document as its bytes come in, and reports each value with its path, ".items[].kind".
// It keeps nothing of the document: texts are cut at 4 KiB, names of members at `longest_key`.
//
// Values: text(path, string), number(path, integer), object_end(path). A number that is not a 64-bit integer is
// reported as -1, which Kubernetes does not use. Included by codecs only: the parser's templates are large.
#pragma once

#include <boost/json/basic_parser_impl.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace kubernetes {

// In bytes; a label's name has 317 at most.
inline constexpr std::size_t longest_key = 320;

template <class Values>
class json_walk {
 public:
  // How many bytes of the piece belong to this document. Fails if they are not JSON, or nested deeper than 100.
  base::result<std::size_t> feed(std::string_view piece) {
    boost::json::error_code ec;
    const auto used = parser_.write_some(true, piece.data(), piece.size(), ec);
    fresh_ = false;
    if (ec) return base::fail("JSON: " + ec.message());
    return used;
  }
  [[nodiscard]] bool done() const { return parser_.done(); }
  [[nodiscard]] bool fresh() const { return fresh_; }  // no byte of this document has come yet
  // Begins the next document; the values keep their state.
  void restart() {
    parser_.reset();
    parser_.handler().forget();
    fresh_ = true;
  }
  Values& values() { return parser_.handler().values; }

 private:
  struct handler {
    static constexpr std::size_t max_object_size = SIZE_MAX, max_array_size = SIZE_MAX, max_key_size = SIZE_MAX,
                                 max_string_size = SIZE_MAX;
    static constexpr std::size_t longest_text = 4096;
    using ec_type = boost::json::error_code;
    using text_type = boost::json::string_view;

    Values values;

    bool on_document_begin(ec_type&) { return true; }
    bool on_document_end(ec_type&) { return true; }
    bool on_object_begin(ec_type&) { return enter(true); }
    bool on_object_end(std::size_t, ec_type&) {
      in_object_.pop_back();
      values.object_end(path_);
      return leave_value();
    }
    bool on_array_begin(ec_type&) {
      path_ += "[]";
      return enter(false);
    }
    bool on_array_end(std::size_t, ec_type&) {
      in_object_.pop_back();
      path_.resize(path_.size() - 2);
      return leave_value();
    }
    bool on_key_part(text_type part, std::size_t, ec_type&) { return append(key_, part, longest_key); }
    bool on_key(text_type part, std::size_t, ec_type&) {
      append(key_, part, longest_key);
      marks_.push_back(path_.size());
      path_.append(1, '.').append(key_);
      key_.clear();
      return true;
    }
    bool on_string_part(text_type part, std::size_t, ec_type&) { return append(text_, part, longest_text); }
    bool on_string(text_type part, std::size_t, ec_type&) {
      append(text_, part, longest_text);
      values.text(path_, text_);
      text_.clear();
      return leave_value();
    }
    bool on_number_part(text_type, ec_type&) { return true; }
    bool on_int64(std::int64_t value, text_type, ec_type&) { return number(value); }
    bool on_uint64(std::uint64_t, text_type, ec_type&) { return number(-1); }  // beyond int64
    bool on_double(double, text_type, ec_type&) { return number(-1); }
    bool on_bool(bool, ec_type&) { return leave_value(); }
    bool on_null(ec_type&) { return leave_value(); }
    bool on_comment_part(text_type, ec_type&) { return true; }
    bool on_comment(text_type, ec_type&) { return true; }

    void forget() {
      path_.clear();
      key_.clear();
      text_.clear();
      marks_.clear();
      in_object_.clear();
    }

   private:
    static bool append(std::string& to, text_type part, std::size_t longest) {
      to.append(part.data(), std::min(part.size(), longest - to.size()));
      return true;
    }
    bool enter(bool object) {
      in_object_.push_back(object);
      return true;
    }
    bool number(std::int64_t value) {
      values.number(path_, value);
      return leave_value();
    }
    // A member's name goes with its value; an array's brackets stay until the array ends.
    bool leave_value() {
      if (in_object_.empty() || !in_object_.back()) return true;
      path_.resize(marks_.back());
      marks_.pop_back();
      return true;
    }

    std::string path_, key_, text_;
    std::vector<std::size_t> marks_;  // the path's length before each open member
    std::vector<bool> in_object_;
  };

  static boost::json::parse_options options() {
    boost::json::parse_options made;
    made.max_depth = 100;
    made.allow_invalid_utf8 = true;  // base::printable() escapes texts before they are shown
    return made;
  }

  boost::json::basic_parser<handler> parser_{options()};
  bool fresh_ = true;
};

}  // namespace kubernetes
