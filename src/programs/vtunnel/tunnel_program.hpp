// tunnel_program: the program vtunnel, which is either end of the tunnels of a configuration file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "program/daemon.hpp"
#include "programs/vtunnel/tunnel_end.hpp"

namespace vtunnel {

class tunnel_program final : public program::daemon {
 public:
  tunnel_program();

  [[nodiscard]] program::about info() const override;
  void declare(program::flag_set& flags) override;
  base::result<> check(const program::command_line& given) override;
  [[nodiscard]] program::rights needs() const override;
  base::result<> open(const async::executor& where) override;
  std::string start(async::task_group& tasks) override;
  [[nodiscard]] std::string summary() const override;

 private:
  bool is_peer_ = false;
  std::string config_ = "/etc/vtunnel.yaml";
  std::uint32_t host_cid_;
  std::uint32_t guest_cid_ = 3;  // the first id of a VM
  bool root_only_ = false;
  std::size_t tunnels_ = 0;
  std::unique_ptr<tunnel_end> end_;
};

}  // namespace vtunnel
