#include "rowwise.h"

#include <cmath>

namespace mistralet {

void rms_norm(const float* x, const float* weight, float eps, int64_t tokens, int64_t size, float* out) {
  constexpr int kLanes = 16;  // partial sums, so that the compiler can use vectors without changing the order
  for (int64_t token = 0; token < tokens; ++token, x += size, out += size) {
    float squares[kLanes] = {};
    int64_t i = 0;
    for (; i + kLanes <= size; i += kLanes) {
      for (int lane = 0; lane < kLanes; ++lane) squares[lane] += x[i + lane] * x[i + lane];
    }
    for (; i < size; ++i) squares[0] += x[i] * x[i];
    float sum = 0;
    for (float square : squares) sum += square;
    const float inverse = 1.0f / std::sqrt(sum / static_cast<float>(size) + eps);
    for (int64_t j = 0; j < size; ++j) out[j] = x[j] * inverse * weight[j];
  }
}

void swiglu(const float* gate, const float* up, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = gate[i] / (1.0f + std::exp(-gate[i])) * up[i];
}

void rotate(const float* x, const float* rotations, int64_t tokens, int64_t heads, int64_t head_dim, float* out) {
  for (int64_t token = 0; token < tokens; ++token, rotations += head_dim) {
    for (int64_t head = 0; head < heads; ++head, x += head_dim, out += head_dim) {
      for (int64_t j = 0; j < head_dim; j += 2) {
        const float a = x[j], b = x[j + 1], cosine = rotations[j], sine = rotations[j + 1];
        out[j] = a * cosine - b * sine;
        out[j + 1] = a * sine + b * cosine;
      }
    }
  }
}

}  // namespace mistralet
