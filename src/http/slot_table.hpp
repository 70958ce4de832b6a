// slot_table: which connections a server keeps when there are more than it has slots for. Pure.
//
//   waiting    has not sent a whole request yet             the first that go
//   leaving    is being answered, and closed then           the same
//   streaming  gets an answer without an end                stays
//   standing   was answered and is kept open for more       stays; no newcomer takes its slot
//
// A newcomer that finds all slots taken gets that of a connection that waits or leaves: the caller with the most of
// them loses its oldest. A quarter of the slots is a reserve that never stands, so there is always a place for
// newcomers while answers end. Once the other three quarters stand, a connection is answered and then closed, unless
// another caller has at least two more of them: that one loses the one that has been idle for the longest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace http {

class slot_table {
 public:
  using id = std::uint64_t;  // of a connection, in the order in which they were accepted
  explicit slot_table(std::size_t slots) : slots_(slots), most_standing_(slots - slots / 4) {}

  // Whether a newcomer would get a slot, and which connection has to be closed and left for that.
  struct admission {
    bool granted = false;
    std::optional<id> victim;
  };
  [[nodiscard]] admission admit() const;
  void enter(id connection, std::string caller);
  void leave(id connection);

  // A whole request has arrived. Granted: the connection is kept open behind the answer.
  admission stand(id connection);
  void stream(id connection);

  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  enum class state { waiting, leaving, streaming, standing };
  struct entry {
    std::string caller;
    state is = state::waiting;
    std::uint64_t last_use = 0;  // grows with every request
  };
  // The caller with the most connections in one of the two states, and which of them comes first.
  struct group {
    std::size_t count = 0;
    id first = 0;
    std::uint64_t first_use = 0;
  };
  [[nodiscard]] std::map<std::string, group> groups(bool standing) const;

  std::size_t slots_, most_standing_;
  std::size_t standing_ = 0;
  std::uint64_t uses_ = 0;
  std::map<id, entry> entries_;
};

}  // namespace http
