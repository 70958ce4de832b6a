#include "programs/guestagentctl/output.hpp"

#include <cstdio>
#include <string_view>

#include "base/result.hpp"
#include "protocols/status_document/document.hpp"
#include "protocols/status_document/document_codec.hpp"

namespace guestagentctl {

base::result<> print(std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  return written ? base::result<>{} : base::fail_errno("standard output");
}

base::result<status_document::document> read_document(std::string_view text) {
  auto shown = status_document::decode(text);
  if (!shown) return base::fail("the agent's answer: " + shown.error().message());
  return shown;
}

}  // namespace guestagentctl
