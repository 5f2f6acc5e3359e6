// What Python sees. Pointers come from tensors whose sizes and types Python has checked.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "attention.h"
#include "dense.h"
#include "kernel.h"
#include "pack.h"
#include "rowwise.h"
#include "thread_pool.h"

namespace nb = nanobind;

namespace mistralet {
namespace {

struct InstructionSet {
  const char* name;
  Multiply multiply;
  Attend attend;
  MultiplyDense multiply_dense;
};

std::vector<InstructionSet> supported_sets() {
  std::vector<InstructionSet> sets = {{"portable", multiply_portable, attend_portable, multiply_dense_portable}};
#ifdef MISTRALET_X86
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
  if (avx2) sets.insert(sets.begin(), {"avx2", multiply_avx2, attend_avx2, multiply_dense_avx2});
  if (avx512) sets.insert(sets.begin(), {"avx512", multiply_avx512, attend_avx512, multiply_dense_avx512});
#endif
  return sets;
}

// The one state of the module. A call holds the lock: threads and buffers serve one operation at a time.
struct State {
  std::mutex lock;
  InstructionSet set = supported_sets().front();
  std::unique_ptr<ThreadPool> pool = std::make_unique<ThreadPool>(1);
  Activations activations;
  std::vector<float> partial;  // of attention
};

State& state() {
  static State* instance = new State;  // never destroyed: its threads must not outlive or hold up the interpreter
  return *instance;
}

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const auto& set : supported_sets()) names.push_back(set.name);
  return names;
}

void configure(int threads, const std::string& instruction_set) {
  std::lock_guard<std::mutex> guard(state().lock);
  for (const auto& set : supported_sets()) {
    if (instruction_set == set.name) {
      state().set = set;
      if (threads != state().pool->threads()) state().pool = std::make_unique<ThreadPool>(threads);
      return;
    }
  }
  throw std::invalid_argument("no such instruction set on this processor");
}

// Pieces small enough that all threads end together, large enough that handing them out costs nothing.
int64_t piece_of(int64_t count) { return std::max<int64_t>(1, count / (8 * state().pool->threads())); }

void pack(int type, uintptr_t source, int64_t rows, int64_t columns, uintptr_t target) {
  std::lock_guard<std::mutex> guard(state().lock);
  const int64_t count = panels(rows);
  state().pool->run(count, piece_of(count), [&](int64_t first, int64_t last) {
    pack_panels(static_cast<Type>(type), reinterpret_cast<const uint8_t*>(source), rows, columns, first, last,
                reinterpret_cast<uint8_t*>(target));
  });
}

// Several matrices that take the same activations: type, packed (or as it lies, if of floats), rows, out.
using Products = std::vector<std::tuple<int, uintptr_t, int64_t, uintptr_t>>;

// A piece of a product with many tokens is long; shorter ones let all threads end together.
constexpr int64_t kLongestDensePiece = 64;

float* dense_scratch() {
  thread_local std::vector<float> scratch(kDenseScratch + kRegister / sizeof(float));
  const auto address = reinterpret_cast<uintptr_t>(scratch.data());
  return reinterpret_cast<float*>((address + kRegister - 1) / kRegister * kRegister);
}

void linear(const Products& products, int64_t columns, uintptr_t x, int64_t tokens) {
  std::lock_guard<std::mutex> guard(state().lock);
  Activations& activations = state().activations;
  ThreadPool& pool = *state().pool;
  const auto* floats = reinterpret_cast<const float*>(x);
  std::vector<DenseProduct> jobs(products.size());
  std::vector<int64_t> units(products.size());
  bool any_dense = false, any_packed = false;
  for (size_t i = 0; i < products.size(); ++i) {
    const auto& [type, weights, rows, out] = products[i];
    jobs[i] = {type, reinterpret_cast<const uint8_t*>(weights), rows, columns, floats, tokens,
                reinterpret_cast<float*>(out)};
    units[i] = is_dense(type) ? jobs[i].units() : panels(rows);
    (is_dense(type) ? any_dense : any_packed) = true;
  }
  if (any_packed) {
    activations.reshape(tokens, columns);
    pool.run(tokens, std::max<int64_t>(kMaxTokens, piece_of(tokens)),
             [&](int64_t first, int64_t last) { activations.quantize_rows(floats, first, last); });
  }
  const int64_t count = std::accumulate(units.begin(), units.end(), int64_t{0});
  const int64_t piece = any_dense ? std::min(piece_of(count), kLongestDensePiece) : piece_of(count);
  pool.run(count, piece, [&](int64_t first, int64_t last) {
    for (size_t i = 0; i < products.size(); ++i) {
      if (first < units[i] && last > 0) {
        const DenseProduct& product = jobs[i];
        const int64_t begin = std::max<int64_t>(first, 0), end = std::min(last, units[i]);
        if (is_dense(product.type)) {
          state().set.multiply_dense(product, begin, end, dense_scratch());
        } else {
          state().set.multiply(static_cast<Type>(product.type), product.weights, product.rows, activations, begin, end,
                               product.out);
        }
      }
      first -= units[i];
      last -= units[i];
    }
  });
}

void attention(uintptr_t query, uintptr_t keys, uintptr_t values, int64_t kv_stride, int64_t heads, int64_t kv_heads,
               int64_t head_dim, int64_t context, float scale, uintptr_t out) {
  std::lock_guard<std::mutex> guard(state().lock);
  AttentionJob job{reinterpret_cast<const float*>(query), reinterpret_cast<const uint16_t*>(keys),
                   reinterpret_cast<const uint16_t*>(values), kv_stride, heads, kv_heads, head_dim, context, scale,
                   nullptr, reinterpret_cast<float*>(out)};
  const size_t needed = job.pieces() * heads * (head_dim + 2);
  if (state().partial.size() < needed) state().partial.resize(needed);
  job.partial = state().partial.data();
  state().pool->run(job.pieces() * kv_heads, 1, [&](int64_t first, int64_t last) { state().set.attend(job, first, last); });
  combine(job);
}

}  // namespace
}  // namespace mistralet

NB_MODULE(_kernels, module) {
  using namespace mistralet;
  const auto release = nb::call_guard<nb::gil_scoped_release>();
  module.def("instruction_sets", &instruction_sets);
  module.def("configure", &configure, release);
  module.def(
      "packed_bytes",
      [](int type, int64_t rows, int64_t columns) { return packed_bytes(static_cast<Type>(type), rows, columns); });
  module.def("pack", &pack, release);
  module.def("linear", &linear, release);
  module.def("attention", &attention, release);
  module.def("rms_norm", [](uintptr_t x, uintptr_t weight, float eps, int64_t tokens, int64_t size, uintptr_t out) {
    rms_norm(reinterpret_cast<const float*>(x), reinterpret_cast<const float*>(weight), eps, tokens, size,
             reinterpret_cast<float*>(out));
  });
  module.def("swiglu", [](uintptr_t gate, uintptr_t up, int64_t count, uintptr_t out) {
    swiglu(reinterpret_cast<const float*>(gate), reinterpret_cast<const float*>(up), count,
           reinterpret_cast<float*>(out));
  });
  module.def("rotate", [](uintptr_t x, uintptr_t rotations, int64_t tokens, int64_t heads, int64_t head_dim,
                          uintptr_t out) {
    rotate(reinterpret_cast<const float*>(x), reinterpret_cast<const float*>(rotations), tokens, heads, head_dim,
           reinterpret_cast<float*>(out));
  });
}
