// What Python sees.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "pack.h"
#include "runtime.h"

namespace nb = nanobind;

namespace mistralet {
namespace {

template <class T>
T* pointer(uintptr_t address) {
  return reinterpret_cast<T*>(address);
}

}  // namespace
}  // namespace mistralet

NB_MODULE(_kernels, module) {
  using namespace mistralet;
  const auto release = nb::call_guard<nb::gil_scoped_release>();

  nb::class_<Matrix>(module, "Matrix")
      .def(
          "__init__",
          [](Matrix* self, int type, uintptr_t data, int64_t rows, uintptr_t scales, int64_t groups) {
            new (self) Matrix{type, data, rows, scales, groups};
          },
          nb::arg(), nb::arg(), nb::arg(), nb::arg() = 0, nb::arg() = 1);
  nb::class_<LayerCache>(module, "LayerCache")
      .def("__init__", [](LayerCache* self, int type, uintptr_t keys, uintptr_t values, uintptr_t key_scales,
                          uintptr_t value_scales, int64_t kv_heads, int64_t head_dim) {
        new (self) LayerCache{static_cast<KVType>(type), pointer<uint8_t>(keys),        pointer<uint8_t>(values),
                              pointer<float>(key_scales), pointer<float>(value_scales), kv_heads, head_dim};
      });
  nb::class_<Batch>(module, "Batch")
      .def("__init__",
           [](Batch* self, bool causal) { new (self) Batch{causal, {}, {}}; })
      .def("add", [](Batch& self, int64_t tokens, int64_t context, uintptr_t blocks) {
        self.add(tokens, context, pointer<const int32_t>(blocks));
      });

  module.def("instruction_sets", &instruction_sets);
  module.def("configure", &configure, release);
  module.def("packed_bytes", [](int type, int64_t rows, int64_t columns) {
    return packed_bytes(static_cast<Type>(type), rows, columns);
  });
  module.def("populate", &populate, release);
  module.def("pack", &pack, release);
  module.def(
      "linear",
      [](const std::vector<Matrix>& matrices, const std::vector<uintptr_t>& outs, uintptr_t x, int64_t tokens,
         int64_t columns, uintptr_t norm_weight, float eps) {
        const Source source{pointer<const float>(x), columns, pointer<const float>(norm_weight), eps, nullptr};
        std::vector<float*> targets;
        for (const uintptr_t out : outs) targets.push_back(pointer<float>(out));
        linear(source, tokens, matrices, targets);
      },
      release);
  module.def(
      "score",
      [](const Matrix& matrix, uintptr_t out, uintptr_t maxima, uintptr_t x, int64_t tokens, int64_t columns,
         uintptr_t norm_weight, float eps) {
        const Source source{pointer<const float>(x), columns, pointer<const float>(norm_weight), eps, nullptr};
        score(source, tokens, matrix, pointer<float>(out), pointer<float>(maxima));
      },
      release);
  module.def(
      "rotate_and_store",
      [](uintptr_t query, uintptr_t key, uintptr_t value, uintptr_t rotations, int64_t heads, const LayerCache& cache,
         const Batch& batch) {
        rotate_and_store(pointer<float>(query), pointer<const float>(key), pointer<const float>(value),
                         pointer<const float>(rotations), heads, cache, batch);
      },
      release);
  module.def(
      "attend",
      [](uintptr_t query, int64_t heads, float scale, const LayerCache& cache, const Batch& batch, uintptr_t out) {
        attend(pointer<const float>(query), heads, scale, cache, batch, pointer<float>(out));
      },
      release);
  module.def(
      "attention_block",
      [](uintptr_t x, int64_t columns, uintptr_t norm_weight, float eps, const Matrix& query, const Matrix& key,
         const Matrix& value, const Matrix& output, uintptr_t rotations, float scale, const LayerCache& cache,
         const Batch& batch) {
        const Source source{pointer<const float>(x), columns, pointer<const float>(norm_weight), eps, nullptr};
        attention_block(source, query, key, value, output, pointer<const float>(rotations), scale, cache, batch,
                        pointer<float>(x));
      },
      release);
  module.def(
      "feed_forward_block",
      [](uintptr_t x, int64_t tokens, int64_t columns, uintptr_t norm_weight, float eps, const Matrix& gate,
         const Matrix& up, const Matrix& down) {
        const Source source{pointer<const float>(x), columns, pointer<const float>(norm_weight), eps, nullptr};
        feed_forward_block(source, tokens, gate, up, down, pointer<float>(x));
      },
      release);
  module.def(
      "sample",
      [](uintptr_t scores, int64_t vocab, uintptr_t maxima, const nb::bytes& packed, uintptr_t alternatives) {
        const auto* rows = static_cast<const SampleRow*>(packed.data());
        std::vector<Sampled> out(packed.size() / sizeof(SampleRow));
        {
          const nb::gil_scoped_release without_lock;
          sample_rows(pointer<float>(scores), vocab, pointer<const float>(maxima), rows,
                      static_cast<int64_t>(out.size()), out.data(), pointer<Candidate>(alternatives));
        }
        nb::list results;
        for (const Sampled& each : out) {
          results.append(nb::make_tuple(each.token, static_cast<int>(each.problem), each.logprob));
        }
        return results;
      });
}
