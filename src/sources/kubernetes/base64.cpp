#include "sources/kubernetes/base64.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace kubernetes {
namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

const unsigned char* as_bytes(const std::string& text) { return reinterpret_cast<const unsigned char*>(text.data()); }

}  // namespace

// OpenSSL decodes '=' anywhere as zero bits, and ignores some characters at the end.
base::result<std::string> decode_base64(std::string_view text) {
  std::string packed;
  std::ranges::remove_copy_if(text, std::back_inserter(packed), is_space);
  if (packed.empty()) return std::string();
  const auto padding = packed.size() - (packed.find_last_not_of('=') + 1);
  if (packed.find('=') < packed.size() - padding) return base::fail("invalid base64");
  if (packed.size() % 4 != 0 || padding > 2) return base::fail("incomplete base64");
  std::string made(packed.size() / 4 * 3, '\0');
  const auto length =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(made.data()), as_bytes(packed), static_cast<int>(packed.size()));
  if (length < 0 || static_cast<std::size_t>(length) != made.size()) return base::fail("invalid base64");
  made.resize(made.size() - padding);
  return made;
}

}  // namespace kubernetes
