// Small operations on rows of activations, for the few tokens of a decoding step.
#pragma once

#include <cstdint>

namespace mistralet {

// x / rms(x) * weight, row by row; [tokens][size].
void rms_norm(const float* x, const float* weight, float eps, int64_t tokens, int64_t size, float* out);

// silu(gate) * up, element by element.
void swiglu(const float* gate, const float* up, int64_t count, float* out);

// Turns the pairs of every head: x [tokens][heads][head_dim], rotations [tokens][head_dim / 2] as (cos, sin).
void rotate(const float* x, const float* rotations, int64_t tokens, int64_t heads, int64_t head_dim, float* out);

}  // namespace mistralet
