// test_certificates: certificates for tests, made in memory as PEM.
#pragma once

#include <memory>
#include <string>

namespace support {

struct certificate {
  std::string cert_pem, key_pem;
};

class test_authority {
 public:
  test_authority();
  test_authority(const test_authority& issuer, const std::string& name);  // an intermediate one
  test_authority(const test_authority&) = delete;
  test_authority& operator=(const test_authority&) = delete;
  ~test_authority();

  [[nodiscard]] std::string ca_pem() const;  // its own certificate alone
  // For 127.0.0.1, ::1, localhost and "kubernetes"; `days` may be negative: expired.
  [[nodiscard]] certificate make_server(int days = 1) const;
  [[nodiscard]] certificate make_client(const std::string& common_name, int days = 1) const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace support
