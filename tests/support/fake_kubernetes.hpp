// fake_kubernetes: a Kubernetes API server for tests of Services: list in pages, watch, resource versions, bookmarks,
// 410, TLS with client certificates and tokens, on a real socket, with the misbehaviour that a test
// configures. Has threads of its own; every member may be called at any time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/test_certificates.hpp"

namespace support {

class fake_kubernetes {
 public:
  struct port {
    long number = 80;
    long node_port = 0;  // 0: left out
    std::string protocol = "TCP";
  };
  struct service {
    std::string name;
    std::string type = "NodePort";
    std::vector<port> ports{};
    std::string name_space = "default";
    std::string annotation{};  // as large as a test likes
  };

  // Its misbehaviour, in addition to that of the members below.
  enum class fault : std::uint8_t {
    none,
    closes_at_once,   // reads a request, and closes
    cuts_lists,       // half of a page, then the connection breaks
    stalls_in_lists,  // half of a page, then nothing
    cuts_watches,     // existing ones, and each new one
    closes_politely,  // after each answer, with Connection: close
    closes_abruptly,  // after each answer, without that header
  };

  // Without an authority it speaks plain HTTP.
  explicit fake_kubernetes(const test_authority* authority = nullptr);
  fake_kubernetes(const fake_kubernetes&) = delete;
  fake_kubernetes& operator=(const fake_kubernetes&) = delete;
  ~fake_kubernetes();

  // Listens, on the same port each time; or rejects, and every connection breaks.
  void start();
  void stop();
  // From the next start() on: another certificate, and whether clients must present one of the same authority.
  void use(const test_authority& authority, bool client_certificates);
  void require_token(std::string token);  // empty: none

  void put(const service& s);  // ADDED, or MODIFIED
  void remove(const std::string& name, const std::string& name_space = "default");
  void bookmark();
  void lose_history();  // another cluster: all Services gone, versions restart

  void answer_with(int status, std::string body = "");  // to everything; 0: the correct answer
  void hang(bool never_answers);                        // accepts requests and never answers
  void freeze_watches(bool silent);                     // watches send nothing and do not end
  void gone_for_watches(int status);  // every watch is answered with 410, or (200) with an ERROR event of 410
  void expire_next_continue_token();
  void send_raw(std::string bytes);  // into every watch, unchanged
  void cut_next_event();             // the connection breaks in the middle of its line
  void end_watches();                // cleanly
  void suffer(fault what);

  [[nodiscard]] unsigned lists() const;        // first pages, ever
  [[nodiscard]] unsigned pages() const;        // ever
  [[nodiscard]] unsigned watches() const;      // ever
  [[nodiscard]] unsigned watching() const;     // now
  [[nodiscard]] unsigned connections() const;  // ever
  [[nodiscard]] std::string last_target() const;

  [[nodiscard]] std::string url() const;
  // In the format of k3s.
  [[nodiscard]] std::string kubeconfig(const certificate* client = nullptr, const std::string& token = "") const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace support
