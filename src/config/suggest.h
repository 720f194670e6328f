// Finds the name that someone most probably meant.
#pragma once

#include <cstddef>
#include <string_view>

namespace limpet {

/// The edits (insert, delete, replace, swap neighbours) that lead from one name to the other.
/// Names beyond 40 bytes are taken as infinitely far apart.
size_t EditDistance(std::string_view a, std::string_view b);

/// Offer it every known name, then ask for the best.
class Suggestion {
 public:
  explicit Suggestion(std::string_view given) : given_(given) {}

  /// Of a name that ends in `.*` only what stands before the first dot is compared.
  void Offer(std::string_view name);

  /// The nearest of the names offered; empty when none is near enough.
  std::string_view best() const { return best_; }

 private:
  std::string_view given_, best_;
  size_t distance_ = 0;
};

}  // namespace limpet
