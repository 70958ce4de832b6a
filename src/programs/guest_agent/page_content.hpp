// page_content: the status page as one HTML document, and the Content-Security-Policy that allows its own style and
// script and nothing else. The sources are in web/; the build puts them into the program (cmake/embed.cmake). Pure.
#pragma once

#include <string>
#include <string_view>

namespace guest_agent {

namespace web {  // the files
std::string_view page_html();
std::string_view page_css();
std::string_view model_js();
std::string_view page_js();
}  // namespace web

struct page_content {
  std::string html;
  std::string policy;  // the value of Content-Security-Policy
};

// Puts style and script into the places `@style@` and `@script@`. The policy names them by their SHA-256, so that other
// inline code does not run. It also forbids assignments of text to HTML (trusted types).
[[nodiscard]] page_content make_page(std::string_view html, std::string_view style, std::string_view script);
// That of the files above.
[[nodiscard]] page_content make_page();

}  // namespace guest_agent
