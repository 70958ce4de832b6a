#include "programs/guest_agent/page_content.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <array>
#include <string>
#include <string_view>

namespace guest_agent {
namespace {

std::string sha256_as_base64(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::array<unsigned char, 4 * ((SHA256_DIGEST_LENGTH + 2) / 3) + 1> base64{};
  const auto size = ::EVP_EncodeBlock(base64.data(), digest.data(), static_cast<int>(digest.size()));
  return {base64.begin(), base64.begin() + size};
}

void replace(std::string& text, std::string_view place, std::string_view by) {
  if (const auto at = text.find(place); at != std::string::npos) text.replace(at, place.size(), by);
}

}  // namespace

page_content make_page(std::string_view html, std::string_view style, std::string_view script) {
  page_content made{.html = std::string(html), .policy = {}};
  replace(made.html, "@style@", style);
  replace(made.html, "@script@", script);
  made.policy = fmt::format(
      "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; connect-src 'self'; "
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
      sha256_as_base64(script), sha256_as_base64(style));
  return made;
}

page_content make_page() {
  return make_page(web::page_html(), web::page_css(), std::string(web::model_js()) + std::string(web::page_js()));
}

}  // namespace guest_agent
