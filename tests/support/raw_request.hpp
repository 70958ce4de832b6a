// raw_request: HTTP requests as bytes, which a well-behaved client does not send: no Host or two, a browser's
// headers, a broken body.
#pragma once

#include <string>
#include <vector>

namespace support {

struct raw_request {
  std::string method = "GET";
  std::string target = "/";
  std::vector<std::string> headers{};  // whole lines without their end; Host is one of them
  std::string body{};                  // with a Content-Length if it is not empty
};
[[nodiscard]] inline std::string to_bytes(const raw_request& r) {
  auto text = r.method + " " + r.target + " HTTP/1.1\r\nConnection: close\r\n";
  for (const auto& line : r.headers) text += line + "\r\n";
  if (!r.body.empty()) text += "Content-Length: " + std::to_string(r.body.size()) + "\r\n";
  return text + "\r\n" + r.body;
}

// The headers that a browser adds to a request of another site's page. A simple POST needs no preflight.
[[nodiscard]] inline std::vector<std::string> cross_site_headers(const std::string& host) {
  return {"Host: " + host,           "Origin: http://pages.example", "Sec-Fetch-Site: cross-site",
          "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: empty",        "Content-Type: text/plain"};
}

}  // namespace support
