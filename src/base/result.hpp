// result<T>: what a function that can fail returns. The error carries the std::error_code that programs compare and
// the context that people read. An error is a value of its own: it is never an empty list or a zero.
#pragma once

#include <cerrno>
#include <expected>
#include <string>
#include <system_error>
#include <utility>

namespace base {

struct error {
  std::error_code code;
  std::string context;  // what was being done, with the names involved: "connect /run/x.sock"

  // "connect /run/x.sock: No such file or directory"; the context alone where the code says nothing.
  [[nodiscard]] std::string message() const {
    if (!code) return context;
    return context.empty() ? code.message() : context + ": " + code.message();
  }
  bool operator==(const error&) const = default;
};

template <class T = void>
using result = std::expected<T, error>;

[[nodiscard]] inline std::unexpected<error> fail(std::error_code code, std::string context) {
  return std::unexpected(error{code, std::move(context)});
}
[[nodiscard]] inline std::unexpected<error> fail(std::errc code, std::string context) {
  return fail(std::make_error_code(code), std::move(context));
}
// For input that is wrong rather than an operation that failed: message() is the context alone.
[[nodiscard]] inline std::unexpected<error> fail(std::string context) {
  return fail(std::error_code{}, std::move(context));
}

// Takes the number from errno. Build the context from plain strings: an allocation in between could change errno.
[[nodiscard]] inline std::unexpected<error> fail_errno(std::string context) {
  return fail(std::error_code(errno, std::system_category()), std::move(context));
}

}  // namespace base
