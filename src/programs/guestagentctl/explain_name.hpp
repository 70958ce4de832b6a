// explain_name: the part of explain() about names. A name is that of a container, a Service or a rule; an id, whole or
// its beginning. "web" also finds the Service default/web. Pure.
#pragma once

#include <string>
#include <string_view>

#include "protocols/status_document/document.hpp"

namespace guestagentctl {

[[nodiscard]] std::string explain_name(const status_document::document& shown, std::string_view name);

}  // namespace guestagentctl
