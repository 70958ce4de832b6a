// netns: a network namespace of a test's own, with lo up, visible to `ip netns` while it lives. The destructor
// removes it with everything in it. The leftovers of a killed run go when the next run makes its first one.
#pragma once

#include <sys/types.h>

#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"

namespace support {

class netns {
 public:
  // Needs root; throws std::runtime_error if the kernel refuses.
  explicit netns(std::string_view purpose);
  netns(const netns&) = delete;
  netns& operator=(const netns&) = delete;
  ~netns();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string path() const { return "/run/netns/" + name_; }

  // `ip -n <name> <arguments>`; throws with ip's output if it fails.
  void ip(std::vector<std::string> arguments) const;

  // Calls `work` in a thread inside the namespace and passes on its result or exception. Sockets that it opens stay in
  // the namespace, wherever they are used later; /proc/thread-self/net is the namespace's.
  //
  // As a `user` other than root, the thread has no capabilities and no groups.
  template <class Work>
  auto run(Work&& work, uid_t user = 0) const -> std::invoke_result_t<Work> {
    using value = std::invoke_result_t<Work>;
    if constexpr (std::is_void_v<value>) {
      run_inside([&] { work(); }, user);
    } else {
      value got{};
      run_inside([&] { got = work(); }, user);
      return got;
    }
  }

 private:
  void run_inside(const std::function<void()>& work, uid_t user) const;
  std::string name_;
};

// An unprivileged user.
inline constexpr uid_t unprivileged = 65534;

// Where a test acts, and as which user: a namespace alone means root there.
class place {
 public:
  place(const netns& where, uid_t user = 0) : where_(&where), user_(user) {}  // NOLINT(google-explicit-constructor)

  template <class Work>
  auto run(Work&& work) const -> std::invoke_result_t<Work> {
    return where_->run(std::forward<Work>(work), user_);
  }
  [[nodiscard]] const netns& where() const { return *where_; }
  [[nodiscard]] uid_t user() const { return user_; }

 private:
  const netns* where_;
  uid_t user_;
};

// Puts the calling thread into a namespace, and back.
class inside {
 public:
  explicit inside(const netns& where);
  inside(const inside&) = delete;
  inside& operator=(const inside&) = delete;
  ~inside();

 private:
  base::unique_fd before_;
};

struct veth_end {
  const netns* where;
  std::string interface;
  std::string cidr;  // "192.168.127.1/24"
};
// A pair of interfaces with addresses, both up. They go with either namespace.
void connect(const veth_end& a, const veth_end& b);

}  // namespace support
