// kubeconfig_text: the kubeconfig of an API server, in the format of k3s.
#pragma once

#include <string>

#include "tests/support/test_certificates.hpp"

namespace support {

// Without a CA for an unencrypted URL.
[[nodiscard]] std::string make_kubeconfig(const std::string& url, const std::string& ca_pem,
                                          const certificate* client = nullptr, const std::string& token = "");

}  // namespace support
