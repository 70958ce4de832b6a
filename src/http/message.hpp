// message: HTTP requests and responses for the rest of the program: no library type leaves src/http.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace http {

struct less_ignoring_case {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};
using header_map = std::map<std::string, std::string, less_ignoring_case>;

struct request {
  std::string method = "GET";
  std::string target = "/";  // path and query, already escaped
  header_map headers{};
  std::string body{};
};

struct response {
  unsigned status = 200;
  header_map headers{};
  std::string body{};

  // The header's value; empty if it is absent.
  [[nodiscard]] std::string_view header(std::string_view name) const;
};

// A plain text answer that ends with a newline, like those of Go's http.Error.
[[nodiscard]] response text_response(unsigned status, std::string text);

// Percent-encodes everything but RFC 3986's unreserved characters, for one component of a path or a query.
[[nodiscard]] std::string escape(std::string_view component);

}  // namespace http
