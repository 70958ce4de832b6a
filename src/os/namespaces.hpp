// namespaces: network namespaces of other processes, and of our own making. The control thread stays where it is: a
// socket stays in the namespace in which it was made, and AF_VSOCK belongs to the default one.
#pragma once

#include <sys/types.h>

#include <functional>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace os {

// A namespace lives as long as a process is in it, or a descriptor refers to it.
[[nodiscard]] base::result<base::unique_fd> net_namespace_of(pid_t process);
[[nodiscard]] base::result<base::unique_fd> make_net_namespace();

// Whether both descriptors refer to one namespace.
[[nodiscard]] bool is_same_namespace(int a, int b);

// Calls `work` on a thread in that namespace, and waits for it. `work` must not throw.
base::result<> in_net_namespace(int net_namespace, const std::function<base::result<>()>& work);

}  // namespace os
