// real_kubernetes: etcd and a real kube-apiserver on the loopback interface of a network namespace, and kubectl, which
// makes Services there. The programs are named by KUBE_APISERVER, ETCD and KUBECTL (or kubectl in PATH); nothing here
// builds or fetches them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/child_process.hpp"
#include "tests/support/fake_kubernetes.hpp"
#include "tests/support/netns.hpp"

namespace support {

class real_kubernetes {
 public:
  // Why it is not possible here; empty if it is.
  [[nodiscard]] static std::string missing();

  // `directory` holds all of its files; the caller removes it afterwards.
  real_kubernetes(const netns& where, std::filesystem::path directory, const test_authority& authority);

  void start();  // returns when the API server is ready; throws with its log after a minute
  void stop();   // stops the API server: etcd continues and keeps the objects

  // kubectl apply and kubectl delete; throw with its output. Annotations are left out.
  void put(const fake_kubernetes::service& s) const;
  void remove(const std::string& name, const std::string& name_space = "default") const;

  [[nodiscard]] std::string kubeconfig() const;
  [[nodiscard]] std::string log() const { return read_text(directory_ / "kube-apiserver.log"); }

 private:
  [[nodiscard]] child_process launch(const char* name, std::vector<std::string> argv) const;
  [[nodiscard]] command_output kubectl(std::vector<std::string> arguments) const;
  void kubectl_or_throw(std::vector<std::string> arguments) const;

  const netns& where_;
  std::filesystem::path directory_;
  std::string ca_pem_;
  certificate client_;
  child_process etcd_, server_;
};

}  // namespace support
